import pytest
import torch

from tests.losses import oracles
from wesam.losses.iou import iou_head_loss, mask_iou


def test_equals_the_oracle() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.rand(3, 4, 5, generator=generator) > 0.5 for _ in range(2))
    weight = torch.rand(3, 4, 5, generator=generator)
    for weights in (None, weight):
        expected = [oracles.iou(first[n], second[n], None if weights is None else weights[n]) for n in range(3)]
        torch.testing.assert_close(mask_iou(first, second, weights), torch.tensor(expected))


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([1, 1, 0, 0], [0, 1, 1, 0], 1 / 3),
        ([1, 0], [1, 0], 1.0),
        ([1, 0], [0, 1], 0.0),
        ([0, 0], [0, 0], 0.0),
    ],
)
def test_of_known_masks(first: list[int], second: list[int], expected: float) -> None:
    assert mask_iou(torch.tensor([[first]]), torch.tensor([[second]])).item() == pytest.approx(expected)


def test_padding_does_not_count() -> None:
    first, second = torch.tensor([[[1, 1, 1]]]), torch.tensor([[[1, 0, 0]]])
    assert mask_iou(first, second, torch.tensor([[[1.0, 1.0, 0.0]]])).item() == 0.5


def test_head_is_pulled_to_the_iou_at_logit_0_and_the_mask_is_left_alone() -> None:
    """At 0.5, the wrong threshold for logits, the mask would hold one pixel and the IoU would be 1/2."""
    logits = torch.tensor([[[0.3, 2.0, -1.0]]], requires_grad=True)
    head = torch.tensor([0.25], requires_grad=True)
    loss = iou_head_loss(head, logits, torch.tensor([[[1, 1, 0]]]))
    loss.sum().backward()
    assert loss.item() == pytest.approx((0.25 - 1) ** 2)
    assert head.grad is not None
    assert head.grad.item() == pytest.approx(2 * (0.25 - 1))
    assert logits.grad is None


def test_refuses_other_shapes() -> None:
    with pytest.raises(ValueError, match="iou"):
        iou_head_loss(torch.zeros(2), torch.zeros(1, 2, 2), torch.zeros(1, 2, 2))
