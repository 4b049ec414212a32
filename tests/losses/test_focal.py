import pytest
import torch

from tests.losses import oracles
from wesam.losses.focal import focal_loss


def test_equals_the_oracle() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn(3, 4, 5, generator=generator)
    target = torch.rand(3, 4, 5, generator=generator) > 0.6
    weight = torch.rand(3, 4, 5, generator=generator)
    for weights in (None, weight):
        expected = [oracles.focal(logits[n], target[n], None if weights is None else weights[n]) for n in range(3)]
        torch.testing.assert_close(focal_loss(logits, target, weights), torch.tensor(expected))


def test_pixels_without_weight_do_not_count() -> None:
    logits, target = torch.randn(2, 4, 4), torch.rand(2, 4, 4) > 0.5
    weight = torch.ones(2, 4, 4)
    weight[:, :, 2:] = 0
    torch.testing.assert_close(focal_loss(logits, target, weight), focal_loss(logits[:, :, :2], target[:, :, :2]))
    assert focal_loss(logits, target, torch.zeros(2, 4, 4)).tolist() == [0, 0]


def test_is_finite_for_extreme_logits() -> None:
    logits = torch.tensor([[[-1e4, 1e4]], [[1e4, -1e4]]], requires_grad=True)
    target = torch.tensor([[[0, 1]], [[0, 1]]])
    losses = focal_loss(logits, target)
    losses.sum().backward()
    assert losses.tolist() == pytest.approx([0, (0.2 + 0.8) / 2 * 1e4])
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_large_and_small_objects_weigh_the_same() -> None:
    """The same share of wrong pixels costs the same, whatever the number of pixels."""
    small = torch.tensor([[[2.0, -1.0], [0.5, -3.0]]])
    target = torch.tensor([[[1, 1], [0, 0]]])
    large = small.repeat_interleave(8, 1).repeat_interleave(8, 2)
    large_target = target.repeat_interleave(8, 1).repeat_interleave(8, 2)
    torch.testing.assert_close(focal_loss(large, large_target), focal_loss(small, target))


def test_computes_in_float32() -> None:
    assert focal_loss(torch.randn(1, 2, 2, dtype=torch.bfloat16), torch.ones(1, 2, 2)).dtype == torch.float32


@pytest.mark.parametrize("shape", [(2, 4, 5), (4, 5), (1, 4, 4)])
def test_refuses_other_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="one shape"):
        focal_loss(torch.zeros(1, 4, 5), torch.zeros(shape))


def test_a_soft_target_is_the_expectation_over_both_sides() -> None:
    logits = torch.randn(2, 3, 3, generator=torch.Generator().manual_seed(0))
    one, zero = torch.ones_like(logits), torch.zeros_like(logits)
    expected = 0.3 * focal_loss(logits, one) + 0.7 * focal_loss(logits, zero)
    torch.testing.assert_close(focal_loss(logits, 0.3 * one), expected)
