from __future__ import annotations

import pytest
import torch
from torch import Tensor

from recipes.edge.network import EdgeNet


@pytest.fixture(scope="module")
def net() -> EdgeNet:
    """64 px, random, in float32."""
    torch.manual_seed(0)
    return EdgeNet(64, bf16=False).eval()


_BOX = torch.tensor([[[4.0, 6, 40, 50], [20, 8, 60, 30]]]).repeat(2, 1, 1)
_POINTS = torch.tensor([[[[12.0, 20], [50, 9]], [[33, 30], [2, 60]]]]).repeat(2, 1, 1, 1)
_LABELS = torch.tensor([1.0, 0]).expand(2, 2, 2)


@torch.no_grad()
@pytest.mark.parametrize("kind", ["box", "points", "both"])
def test_it_answers_as_transformers_own_forward(net: EdgeNet, kind: str) -> None:
    pixels = torch.randn(2, 3, 64, 64)
    boxes = None if kind == "points" else _BOX
    points, labels = (None, None) if kind == "box" else (_POINTS, _LABELS)
    levels, _ = net.encode(pixels)
    logits, iou = net.ask(levels, boxes=boxes, points=points, labels=labels)
    for multimask, mine in ((False, slice(0, 1)), (True, slice(1, 4))):
        out = net.sam(
            pixel_values=pixels * net.scale + net.shift,
            input_boxes=boxes, input_points=points, input_labels=None if labels is None else labels.long(),
            multimask_output=multimask,
        )  # fmt: skip
        torch.testing.assert_close(logits[:, mine], out.pred_masks.flatten(0, 1), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(iou[:, mine], out.iou_scores.flatten(0, 1), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_mask_prompt_is_transformers_own(net: EdgeNet) -> None:
    pixels, mask = torch.randn(1, 3, 64, 64), torch.randn(1, 1, 16, 16)
    levels, _ = net.encode(pixels)
    logits, _ = net.ask(levels, masks=mask)
    out = net.sam(pixel_values=pixels * net.scale + net.shift, input_masks=mask, multimask_output=False)
    torch.testing.assert_close(logits[:, :1], out.pred_masks.flatten(0, 1), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_the_dense_head_sees_the_finest_level(net: EdgeNet) -> None:
    """Folded into the decoder's convolutions it gives what it would give by itself."""
    hidden = net.hidden(torch.randn(1, 3, 64, 64))
    _, projected = net.project(hidden)
    levels, _ = net.sam.vision_encoder.neck([x.permute(0, 2, 3, 1) for x in hidden])
    expected: Tensor = net.heads.project(levels[-1])
    torch.testing.assert_close(projected, expected, rtol=1e-4, atol=1e-4)
    assert [x.shape[1] for x in net.heads.split(projected)] == [1, 3, 8]


def test_pixels_reach_the_backbone_between_minus_one_and_one(net: EdgeNet) -> None:
    """Batches are normalised by ImageNet's mean and deviation."""
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    for value in (0.0, 1.0):
        pixels = ((value - mean) / deviation).view(1, 3, 1, 1)
        torch.testing.assert_close(pixels * net.scale + net.shift, torch.full_like(pixels, 2 * value - 1))


def test_batch_norm_never_learns_statistics(net: EdgeNet) -> None:
    before = net.backbone.bn1.running_mean.clone()
    net.train().encode(torch.randn(2, 3, 64, 64))
    assert torch.equal(net.backbone.bn1.running_mean, before)
    net.eval()
