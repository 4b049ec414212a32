from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wesam.models.efficientnet_lite import VARIANTS, EfficientNetLite, SameConv2d

#: The published table: blocks, kernel, stride, expansion, channels of each stage of Lite0.
_LITE0 = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192),
          (1, 3, 1, 6, 320))  # fmt: skip


def _same(x: Tensor, weight: Tensor, stride: int, groups: int = 1) -> Tensor:
    """TensorFlow's rule in its other form."""
    kernel = weight.shape[-1]
    pads = [max(kernel - (n % stride or stride), 0) for n in (x.shape[-1], x.shape[-2])]
    x = F.pad(x, (pads[0] // 2, pads[0] - pads[0] // 2, pads[1] // 2, pads[1] - pads[1] // 2))
    return F.conv2d(x, weight, stride=stride, groups=groups)


def plain_forward(weights: dict[str, Tensor], pixels: Tensor) -> list[Tensor]:
    """Features at strides 4 to 32 by the published package's names (`_blocks.N._expand_conv`), written out flat."""

    def norm(x: Tensor, name: str) -> Tensor:
        mean, var, gain, bias = (
            weights[f"{name}.{part}"].view(1, -1, 1, 1) for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / (var + 1e-3).sqrt() * gain + bias

    x = norm(_same(pixels, weights["_conv_stem.weight"], 2), "_bn0").clamp(0, 6)
    features, number = [], 0
    for stage, (blocks, _, first_stride, expansion, _) in enumerate(_LITE0):
        for block in range(blocks):
            name, before, stride = f"_blocks.{number}.", x, first_stride if block == 0 else 1
            if expansion > 1:
                x = norm(_same(x, weights[name + "_expand_conv.weight"], 1), name + "_bn0").clamp(0, 6)
            depthwise = weights[name + "_depthwise_conv.weight"]
            x = norm(_same(x, depthwise, stride, len(depthwise)), name + "_bn1").clamp(0, 6)
            x = norm(_same(x, weights[name + "_project_conv.weight"], 1), name + "_bn2")
            if block > 0:
                x = x + before
            number += 1
        if stage in (1, 2, 4, 6):
            features.append(x)
    return features


_SEPARABLE = {"conv_dw": "_depthwise_conv", "bn1": "_bn1", "conv_pw": "_project_conv", "bn2": "_bn2"}
_INVERTED = {
    "conv_pw": "_expand_conv", "bn1": "_bn0", "conv_dw": "_depthwise_conv", "bn2": "_bn1", "conv_pwl": "_project_conv",
    "bn3": "_bn2",
}  # fmt: skip


def published_names(model: EfficientNetLite) -> dict[str, Tensor]:
    """Weights of a model under the published package's names."""
    renamed = {"conv_stem.weight": "_conv_stem.weight"}
    renamed |= {f"bn1.{part}": f"_bn0.{part}" for part in ("weight", "bias", "running_mean", "running_var")}
    number = 0
    for stage, blocks in enumerate(model.blocks):
        layers = _INVERTED if stage else _SEPARABLE
        for block in range(len(blocks)):
            for own, old in layers.items():
                for part in ("weight", "bias", "running_mean", "running_var"):
                    renamed[f"blocks.{stage}.{block}.{own}.{part}"] = f"_blocks.{number}.{old}.{part}"
            number += 1
    return {renamed[name]: value for name, value in model.state_dict().items() if "batches_tracked" not in name}


def random_backbone(seed: int = 0) -> EfficientNetLite:
    torch.manual_seed(seed)
    model = EfficientNetLite("tf_efficientnet_lite0").eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):  # statistics that show when they are not used
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
    return model


@pytest.mark.parametrize("size", [(64, 64), (50, 39)])
@torch.no_grad()
def test_features_are_those_of_the_plain_forward(size: tuple[int, int]) -> None:
    model, pixels = random_backbone(), torch.randn(2, 3, *size)
    features = model(pixels)
    expected = plain_forward(published_names(model), pixels)
    assert [len(x[0]) for x in features] == model.channels == [24, 40, 112, 320]
    for own, other in zip(features, expected, strict=True):
        torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_features_and_names_are_timms() -> None:
    timm = pytest.importorskip("timm")
    other = timm.create_model("tf_efficientnet_lite0", features_only=True, out_indices=(1, 2, 3, 4)).eval()
    model, pixels = EfficientNetLite("tf_efficientnet_lite0").eval(), torch.randn(1, 3, 64, 64)
    model.load_state_dict(other.state_dict())
    for own, expected in zip(model(pixels), other(pixels), strict=True):
        torch.testing.assert_close(own, expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_asked_for_some_features_only() -> None:
    pixels = torch.randn(1, 3, 32, 32)
    torch.manual_seed(0)
    whole = EfficientNetLite("tf_efficientnet_lite0", (0, 1, 2, 3, 4)).eval()
    part = EfficientNetLite("tf_efficientnet_lite0", (0, 2)).eval()
    part.load_state_dict({name: value for name, value in whole.state_dict().items() if name in part.state_dict()})
    assert len(part.blocks) == 3  # nothing behind the last that is asked for
    every = whole(pixels)
    assert [x.shape[-1] for x in every] == [16, 8, 4, 2, 1]
    for own, expected in zip(part(pixels), (every[0], every[2]), strict=True):
        assert torch.equal(own, expected)


@pytest.mark.parametrize(
    ("architecture", "channels", "millions"),
    [
        ("tf_efficientnet_lite0", [24, 40, 112, 320], 4.65),
        ("tf_efficientnet_lite1", [24, 40, 112, 320], 5.42),
        ("tf_efficientnet_lite2", [24, 48, 120, 352], 6.09),
        ("tf_efficientnet_lite3", [32, 48, 136, 384], 8.20),
        ("tf_efficientnet_lite4", [32, 56, 160, 448], 13.01),
    ],
)
def test_variants_have_their_published_size(architecture: str, channels: list[int], millions: float) -> None:
    """The published count is of the classifier: 1280 channels, their norm, and 1000 classes come on top."""
    with torch.device("meta"):
        model = EfficientNetLite(architecture)
    assert model.channels == channels
    head = 1280 * channels[-1] + 2 * 1280 + 1281 * 1000
    assert (sum(p.numel() for p in model.parameters()) + head) / 1e6 == pytest.approx(millions, abs=0.005)


def test_same_padding_keeps_the_size_over_the_stride() -> None:
    for size in range(1, 12):
        for kernel, stride in ((1, 1), (3, 1), (3, 2), (5, 1), (5, 2)):
            x, convolution = torch.randn(1, 2, size, 9), SameConv2d(2, 2, kernel, stride, groups=2)
            out = convolution(x)
            assert out.shape[-2] == -(-size // stride)
            torch.testing.assert_close(out, _same(x, convolution.weight, stride, 2))


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="expected one of tf_efficientnet_lite0.*got resnet50"):
        EfficientNetLite("resnet50")
    with pytest.raises(ValueError, match="out_indices"):
        EfficientNetLite("tf_efficientnet_lite0", (1, 5))
    assert len(VARIANTS) == 5
