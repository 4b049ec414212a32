import pytest
import torch

from tests.losses import oracles
from tests.losses.conftest import Masks
from wesam.losses.dice import dice_loss


def test_equals_the_oracle(drawn: Masks) -> None:
    logits, target, weight = drawn
    expected = [oracles.dice(*instance) for instance in zip(logits, target, strict=True)]
    torch.testing.assert_close(dice_loss(logits, target), torch.tensor(expected))
    expected = [oracles.dice(*instance) for instance in zip(*drawn, strict=True)]
    torch.testing.assert_close(dice_loss(logits, target, weight), torch.tensor(expected))


def test_pixels_without_weight_do_not_count(half_weighted: Masks) -> None:
    logits, target, weight = half_weighted
    torch.testing.assert_close(dice_loss(logits, target, weight), dice_loss(logits[:, :, :2], target[:, :, :2]))


def test_is_0_for_a_perfect_mask_and_for_two_empty_ones() -> None:
    target = torch.zeros(2, 4, 4)
    target[0, 1:3, 1:3] = 1
    assert dice_loss(200 * (target - 0.5), target).tolist() == pytest.approx([0, 0], abs=1e-6)


def test_large_and_small_objects_weigh_the_same(small_and_large: tuple[Masks, Masks]) -> None:
    small, large = (dice_loss(masks.logits, masks.target, eps=0) for masks in small_and_large)
    torch.testing.assert_close(large, small)


def test_refuses_other_shapes() -> None:
    with pytest.raises(ValueError, match="one shape"):
        dice_loss(torch.zeros(1, 4, 5), torch.zeros(1, 4, 5), torch.ones(1, 5, 4))


def test_a_soft_target_is_best_met_by_itself() -> None:
    target = torch.rand(1, 4, 4, generator=torch.Generator().manual_seed(0)).clamp(0.05, 0.95)
    assert dice_loss(target.logit(), target).item() == pytest.approx(0, abs=1e-6)
    assert dice_loss(50 * (target - 0.5), target).item() > 0.1
