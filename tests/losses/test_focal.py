import pytest
import torch

from tests.losses import oracles
from tests.losses.conftest import Masks
from wesam.losses.focal import focal_loss


@pytest.mark.parametrize("alpha", [0.5, 0.8])
def test_equals_the_oracle(drawn: Masks, alpha: float) -> None:
    logits, target, weight = drawn
    expected = [oracles.focal(*instance, alpha=alpha) for instance in zip(logits, target, strict=True)]
    torch.testing.assert_close(focal_loss(logits, target, alpha=alpha), torch.tensor(expected))
    expected = [oracles.focal(*instance, alpha=alpha) for instance in zip(*drawn, strict=True)]
    torch.testing.assert_close(focal_loss(logits, target, weight, alpha), torch.tensor(expected))


def test_pixels_without_weight_do_not_count(half_weighted: Masks) -> None:
    logits, target, weight = half_weighted
    torch.testing.assert_close(focal_loss(logits, target, weight), focal_loss(logits[:, :, :2], target[:, :, :2]))
    assert focal_loss(logits, target, torch.zeros(2, 4, 4)).tolist() == [0, 0]


def test_is_finite_for_extreme_logits() -> None:
    logits = torch.tensor([[[-1e4, 1e4]], [[1e4, -1e4]]], requires_grad=True)
    target = torch.tensor([[[0, 1]], [[0, 1]]])
    losses = focal_loss(logits, target)
    losses.sum().backward()
    assert losses.tolist() == pytest.approx([0, (0.5 + 0.5) / 2 * 1e4])
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_large_and_small_objects_weigh_the_same(small_and_large: tuple[Masks, Masks]) -> None:
    """The same share of wrong pixels costs the same, whatever the number of pixels."""
    small, large = (focal_loss(masks.logits, masks.target) for masks in small_and_large)
    torch.testing.assert_close(large, small)


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


@pytest.mark.parametrize("alpha", [0.25, 0.5, 0.8])
def test_alpha_says_from_which_chance_on_a_pixel_goes_into_the_mask(alpha: float) -> None:
    """A pixel that is in the mask with probability 1 - alpha is left on the border: neither side pulls."""
    logits = torch.zeros(1, 1, 3, requires_grad=True)
    chance = torch.tensor([[[-0.05, 0.0, 0.05]]]) + 1 - alpha
    focal_loss(logits, chance, alpha=alpha).sum().backward()
    assert logits.grad is not None
    below, even, above = logits.grad.flatten().tolist()
    assert below > 0 > above
    assert even == pytest.approx(0, abs=1e-8)
