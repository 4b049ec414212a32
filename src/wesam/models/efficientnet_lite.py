"""EfficientNet-Lite as a feature extractor, under timm's parameter names.

transformers' EdgeTAM takes its backbone from timm, which imports torchvision. What is bundled needs neither: this is
the same network, its weights have the same names, so a folder written here is read by whoever has timm.

Sources: Tan & Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019; the Lite
variants (no squeeze-and-excitation, ReLU6, stem and head not scaled) are TensorFlow's `efficientnet/lite`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

#: Width and depth of each variant.
VARIANTS: dict[str, tuple[float, float]] = {
    "tf_efficientnet_lite0": (1.0, 1.0),
    "tf_efficientnet_lite1": (1.0, 1.1),
    "tf_efficientnet_lite2": (1.1, 1.2),
    "tf_efficientnet_lite3": (1.2, 1.4),
    "tf_efficientnet_lite4": (1.4, 1.8),
}

_STEM = 32
_EPS = 1e-3  # TensorFlow's, with which the published weights were trained


@dataclass(frozen=True)
class _Stage:
    """Blocks that share a shape: how many, side of the depthwise kernel, first stride, expansion, output channels."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    channels: int


_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)

#: The last stage of each stride (2, 4, 8, 16, 32): what timm calls feature 0 to 4.
_FEATURES = (0, 1, 2, 4, 6)


class EfficientNetLite(nn.Module):
    """The convolutional part of an EfficientNet-Lite.

    Args:
        architecture: one of `VARIANTS`.
        out_indices: which features to give: 0 to 4 are at strides 2, 4, 8, 16, 32.

    Raises:
        ValueError: if there is no such architecture or feature.
    """

    def __init__(self, architecture: str, out_indices: tuple[int, ...] = (1, 2, 3, 4)) -> None:
        super().__init__()
        if architecture not in VARIANTS:
            raise ValueError(f"architecture: expected one of {', '.join(VARIANTS)}, got {architecture}")
        if not out_indices or not all(0 <= index < len(_FEATURES) for index in out_indices):
            raise ValueError(f"out_indices: expected numbers from 0 to {len(_FEATURES) - 1}, got {out_indices}")
        stages = _scaled(*VARIANTS[architecture])
        self.given = [_FEATURES[index] for index in sorted(out_indices)]
        self.channels = [stages[stage].channels for stage in self.given]
        self.conv_stem = SameConv2d(3, _STEM, 3, stride=2)
        self.bn1 = nn.BatchNorm2d(_STEM, _EPS)
        blocks, before = [], _STEM
        for stage in stages[: self.given[-1] + 1]:
            first = _block(before, stage, stage.stride)
            blocks.append(nn.Sequential(first, *(_block(stage.channels, stage, 1) for _ in range(stage.blocks - 1))))
            before = stage.channels
        self.blocks = nn.Sequential(*blocks)

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """Features of (B, 3, H, W) pixels in [-1, 1], from fine to coarse.

        Returns:
            One (B, C, H / stride, W / stride) for each of `out_indices`, sides rounded up, `channels` wide.
        """
        x = F.relu6(self.bn1(self.conv_stem(pixels)))
        features = []
        for index, stage in enumerate(self.blocks):
            x = stage(x)
            if index in self.given:
                features.append(x)
        return features


class SameConv2d(nn.Conv2d):
    """A convolution without bias that pads as TensorFlow's SAME: with a stride, less before than after."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride=stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H / stride, W / stride), rounded up."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        down, right = same_padding(x.shape[-2], kernel, stride), same_padding(x.shape[-1], kernel, stride)
        if down == right and down % 2 == 0:  # the same on all sides: no copy of the input
            return F.conv2d(x, self.weight, None, self.stride, down // 2, self.dilation, self.groups)
        x = F.pad(x, (right // 2, right - right // 2, down // 2, down - down // 2))
        return F.conv2d(x, self.weight, None, self.stride, 0, self.dilation, self.groups)


def same_padding(size: int, kernel: int, stride: int) -> int:
    """Cells that TensorFlow's SAME adds along an axis of `size` cells, half of them (rounded down) in front."""
    return max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)


class _Separable(nn.Module):
    """Depthwise and pointwise convolution; the first stage."""

    def __init__(self, inputs: int, stage: _Stage, stride: int) -> None:
        super().__init__()
        self.residual = stride == 1 and inputs == stage.channels
        self.conv_dw = SameConv2d(inputs, inputs, stage.kernel, stride, groups=inputs)
        self.bn1 = nn.BatchNorm2d(inputs, _EPS)
        self.conv_pw = nn.Conv2d(inputs, stage.channels, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(stage.channels, _EPS)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = F.relu6(self.bn1(self.conv_dw(x)))
        out = self.bn2(self.conv_pw(out))
        return out + x if self.residual else out


class _Inverted(nn.Module):
    """Expansion, depthwise convolution, projection: MobileNetV2's inverted residual."""

    def __init__(self, inputs: int, stage: _Stage, stride: int) -> None:
        super().__init__()
        self.residual = stride == 1 and inputs == stage.channels
        wide = _round_channels(inputs * stage.expansion)
        self.conv_pw = nn.Conv2d(inputs, wide, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(wide, _EPS)
        self.conv_dw = SameConv2d(wide, wide, stage.kernel, stride, groups=wide)
        self.bn2 = nn.BatchNorm2d(wide, _EPS)
        self.conv_pwl = nn.Conv2d(wide, stage.channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(stage.channels, _EPS)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = F.relu6(self.bn1(self.conv_pw(x)))
        out = F.relu6(self.bn2(self.conv_dw(out)))
        out = self.bn3(self.conv_pwl(out))
        return out + x if self.residual else out


def _block(inputs: int, stage: _Stage, stride: int) -> nn.Module:
    return (_Separable if stage.expansion == 1 else _Inverted)(inputs, stage, stride)


def _scaled(width: float, depth: float) -> list[_Stage]:
    """The stages of a variant: wider everywhere, deeper everywhere but in the first and the last."""
    ends = (0, len(_STAGES) - 1)
    return [
        _Stage(
            stage.blocks if index in ends else math.ceil(stage.blocks * depth),
            stage.kernel,
            stage.stride,
            stage.expansion,
            _round_channels(stage.channels * width),
        )
        for index, stage in enumerate(_STAGES)
    ]


def _round_channels(channels: float) -> int:
    """To a multiple of eight, at most a tenth below."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded
