"""Losses and prompts of one pretraining step."""

import torch

from recipes.pretraining.step import error_points, jitter, mask_cost


def test_a_right_answer_costs_nothing_and_a_wrong_one_does() -> None:
    target = torch.zeros(1, 1, 8, 8)
    target[..., 2:6, 2:6] = 1
    right, wrong = 40 * (2 * target - 1), 40 * (1 - 2 * target)
    cost, iou = mask_cost(torch.cat([right, wrong], 1), target, balanced=1.0)
    assert cost[0, 0] < 0.1
    assert cost[0, 1] > 10
    assert iou.tolist() == [[1.0, 0.0]]


def test_a_half_covered_cell_asks_for_a_logit_of_zero() -> None:
    target = torch.full((1, 1, 4, 4), 0.5)
    logits = torch.zeros(1, 1, 4, 4, requires_grad=True)
    mask_cost(logits, target, balanced=1.0)[0].sum().backward()
    assert logits.grad is not None
    assert torch.allclose(logits.grad, torch.zeros(()), atol=1e-6)


def test_an_error_point_lies_in_the_error_and_says_what_is_there() -> None:
    target = torch.zeros(1, 2, 8, 8)
    target[0, 0, 3, 5] = 1  # missed
    logits = torch.full((1, 2, 8, 8), -5.0)
    logits[0, 1, 6, 1] = 5  # invented
    points, labels = error_points(logits, target, torch.Generator().manual_seed(0))
    assert points[0, :, 0].tolist() == [[21.5, 13.5], [5.5, 25.5]]
    assert labels[0, :, 0].tolist() == [1.0, 0.0]


def test_jitter_moves_a_corner_by_at_most_its_share() -> None:
    boxes = torch.tensor([10.0, 20.0, 50.0, 120.0]).expand(4, 64, 4)
    moved = jitter(boxes, torch.Generator().manual_seed(0), most=0.2) - boxes
    assert moved[..., [0, 2]].abs().max() <= 0.2 * 40
    assert moved[..., [1, 3]].abs().max() <= 0.2 * 100
    assert (moved == 0).all(-1).float().mean() > 0.3  # many stay tight
