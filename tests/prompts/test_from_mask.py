"""Prompts drawn from masks lie where they should, and the generator alone decides where."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from wesam.prompts.from_mask import MOST_CLICKS, coarse_masks, corrective_clicks, jittered_boxes, random_clicks

GRID, CELL = 16, 4.0


def scene() -> tuple[Tensor, Tensor]:
    """A square, a single cell and an empty mask; the lowest quarter is padding."""
    masks = torch.zeros(3, GRID, GRID, dtype=torch.bool)
    masks[0, 2:8, 3:9] = True
    masks[1, 5, 7] = True
    valid = torch.ones(3, GRID, GRID)
    valid[:, 12:] = 0
    return masks, valid


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def cells_of(points: Tensor) -> tuple[Tensor, Tensor]:
    """Rows and columns of the cells that points, which are pixel indices, lie in."""
    place = ((points + 0.5) / CELL).floor().long()
    return place[..., 1], place[..., 0]


@pytest.mark.parametrize("seed", range(8))
def test_clicks_lie_inside_and_outside_on_the_image(seed: int) -> None:
    masks, valid = scene()
    prompts = random_clicks(masks, valid, CELL, seeded(seed))
    assert prompts.points is not None
    assert prompts.point_labels is not None
    positive = prompts.point_labels[0] == 1
    assert 1 <= positive.sum() <= MOST_CLICKS
    assert (~positive).sum() <= MOST_CLICKS
    rows, columns = cells_of(prompts.points)
    for number in range(2):
        hit = masks[number, rows[number], columns[number]]
        assert torch.equal(hit, positive)
        assert (valid[number, rows[number], columns[number]] > 0)[~positive].all()
    assert torch.equal(random_clicks(masks, valid, CELL, seeded(seed)).points, prompts.points)


def test_every_cell_of_a_mask_is_as_likely() -> None:
    masks, valid = scene()
    generator = seeded(0)
    seen = torch.zeros(GRID, GRID)
    for _ in range(300):
        prompts = random_clicks(masks[:1], valid[:1], CELL, generator)
        assert prompts.points is not None
        rows, columns = cells_of(prompts.points[0, :1])
        seen[rows, columns] += 1
    assert (seen[masks[0]] > 0).all()
    assert seen[masks[0]].max() < 25  # 8.3 are expected


def test_a_corrective_click_lies_where_the_answer_is_wrong_with_the_masks_word() -> None:
    masks, valid = scene()
    masks = masks[:2]
    answers = masks.clone()
    answers[0, 2:8, 8] = False  # a missed column
    answers[1, 0, 0] = True  # a cell too many
    prompts = corrective_clicks(masks, answers, valid[:2], CELL, seeded(0))
    assert prompts.points is not None
    assert prompts.point_labels is not None
    rows, columns = cells_of(prompts.points)
    assert prompts.point_labels.tolist() == [[1, 1], [1, 0]]
    assert columns[0, 1] == 8
    assert (rows[1, 1], columns[1, 1]) == (0, 0)
    right = corrective_clicks(masks, masks, valid[:2], CELL, seeded(0))
    assert right.point_labels is not None
    assert right.point_labels.tolist() == [[1, 1], [1, 1]]


def test_boxes_stay_near_the_masks_own() -> None:
    masks, _ = scene()
    own = torch.tensor([[12.0, 8.0, 36.0, 32.0], [28.0, 20.0, 32.0, 24.0]])
    boxes = jittered_boxes(masks, CELL, seeded(1)).boxes
    assert boxes is not None
    side = (own[:, 2:] - own[:, :2]).repeat(1, 2)
    assert ((boxes[:2] - own).abs() <= 0.2 * side + 1e-4).all()
    assert not torch.equal(boxes[:2], own)
    assert (boxes[:, 0] < boxes[:, 2]).all()
    assert (boxes >= 0).all()
    assert (boxes <= GRID * CELL).all()


def test_coarse_masks_blur_the_outline() -> None:
    masks, _ = scene()
    logits = coarse_masks(masks).masks
    assert logits is not None
    assert logits.shape == masks.shape
    assert logits[0, 5, 5] > 0
    assert logits[0, 15, 15] == -4
    assert (logits[2] == -4).all()
    assert logits.unique().numel() > 4
