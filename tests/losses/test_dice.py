import pytest
import torch

from tests.losses import oracles
from wesam.losses.dice import dice_loss


def test_equals_the_oracle() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn(3, 4, 5, generator=generator)
    target = torch.rand(3, 4, 5, generator=generator) > 0.6
    weight = torch.rand(3, 4, 5, generator=generator)
    for weights in (None, weight):
        expected = [oracles.dice(logits[n], target[n], None if weights is None else weights[n]) for n in range(3)]
        torch.testing.assert_close(dice_loss(logits, target, weights), torch.tensor(expected))


def test_pixels_without_weight_do_not_count() -> None:
    logits, target = torch.randn(2, 4, 4), torch.rand(2, 4, 4) > 0.5
    weight = torch.ones(2, 4, 4)
    weight[:, :, 2:] = 0
    torch.testing.assert_close(dice_loss(logits, target, weight), dice_loss(logits[:, :, :2], target[:, :, :2]))


def test_is_0_for_a_perfect_mask_and_for_two_empty_ones() -> None:
    target = torch.zeros(2, 4, 4)
    target[0, 1:3, 1:3] = 1
    assert dice_loss(200 * (target - 0.5), target).tolist() == pytest.approx([0, 0], abs=1e-6)


def test_large_and_small_objects_weigh_the_same() -> None:
    small = torch.tensor([[[2.0, -1.0], [0.5, -3.0]]])
    target = torch.tensor([[[1, 1], [0, 0]]])
    large = small.repeat_interleave(8, 1).repeat_interleave(8, 2)
    large_target = target.repeat_interleave(8, 1).repeat_interleave(8, 2)
    torch.testing.assert_close(dice_loss(large, large_target, eps=0), dice_loss(small, target, eps=0))


def test_refuses_other_shapes() -> None:
    with pytest.raises(ValueError, match="one shape"):
        dice_loss(torch.zeros(1, 4, 5), torch.zeros(1, 4, 5), torch.ones(1, 5, 4))


def test_a_soft_target_is_best_met_by_itself() -> None:
    target = torch.rand(1, 4, 4, generator=torch.Generator().manual_seed(0)).clamp(0.05, 0.95)
    assert dice_loss(target.logit(), target).item() == pytest.approx(0, abs=1e-6)
    assert dice_loss(50 * (target - 0.5), target).item() > 0.1
