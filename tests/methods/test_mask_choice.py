from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.tiny import tiny_segmenter
from wesam.methods.mask_choice import consistency, consistent_logits
from wesam.models.features import Features
from wesam.models.segmenter import Segmenter
from wesam.types import MultimaskPrediction, Prompts

INPUT, GRID = 64, 16  # a cell is 4 pixels wide
NAN = float("nan")


def square(x0: int, y0: int, x1: int, y1: int) -> Tensor:
    mask = torch.zeros(GRID, GRID, dtype=torch.bool)
    mask[y0:y1, x0:x1] = True
    return mask


PART, WHOLE, MORE, NOTHING = square(4, 4, 6, 6), square(4, 4, 8, 8), square(2, 2, 14, 10), square(0, 0, 0, 0)
CANDIDATES = torch.stack([PART, WHOLE, MORE, NOTHING])[None]


def test_a_box_agrees_by_its_overlap_with_the_masks_box() -> None:
    fit = consistency(CANDIDATES, Prompts(boxes=torch.tensor([[16.0, 16, 32, 32]])), None, INPUT)
    torch.testing.assert_close(fit, torch.tensor([[4 / 16, 1, 16 / 96, 0]]))


def test_points_agree_by_the_share_that_lies_right() -> None:
    points = torch.tensor([[[17.5, 17.5], [29.5, 29.5], [50.0, 30.0], [0.0, 0.0]]])
    fit = consistency(CANDIDATES, Prompts(points=points, point_labels=torch.tensor([[1, 1, 0, -1]])), None, INPUT)
    torch.testing.assert_close(fit, torch.tensor([[2 / 3, 1, 2 / 3, 1 / 3]]))


def test_an_outline_agrees_by_its_overlap() -> None:
    outlines = torch.where(square(4, 4, 8, 7), 1.0, -1.0)[None]
    nowhere = Prompts(boxes=torch.full((1, 4), NAN))
    torch.testing.assert_close(
        consistency(CANDIDATES, nowhere, outlines, INPUT), torch.tensor([[4 / 12, 12 / 16, 12 / 96, 0]])
    )
    assert not consistency(CANDIDATES, nowhere, torch.full_like(outlines, NAN), INPUT).any()


def test_each_object_is_judged_by_its_own_kind_of_label() -> None:
    prompts = Prompts(
        boxes=torch.tensor([[16.0, 16, 32, 32], [NAN] * 4]),
        points=torch.tensor([[[0.0, 0.0]], [[50.0, 30.0]]]),
        point_labels=torch.tensor([[-1], [1]]),
    )
    fit = consistency(CANDIDATES.expand(2, -1, -1, -1), prompts, None, INPUT)
    torch.testing.assert_close(fit, torch.tensor([[4 / 16, 1, 16 / 96, 0], [0, 0, 1, 0]]))


def answering(single: Tensor, several: Tensor) -> Segmenter:
    """A segmenter whose single-mask output is (N, m, m), and whose multimask outputs are (N, K, m, m)."""
    segmenter = tiny_segmenter()
    logits = torch.cat([single[:, None], several], 1)
    answer = MultimaskPrediction(logits, torch.zeros(logits.shape[:2]))
    segmenter.decode_every = lambda *asked: answer  # type: ignore[method-assign]
    return segmenter


def taken(segmenter: Segmenter, prompts: Prompts) -> Tensor:
    index = torch.zeros(len(prompts), dtype=torch.long)
    return consistent_logits(segmenter, Features(torch.zeros(1)), prompts, index, None)


@pytest.mark.parametrize(("single", "expected"), [(PART, WHOLE), (WHOLE, WHOLE), (square(4, 4, 8, 8), WHOLE)])
def test_the_answer_that_fits_best_is_taken(single: Tensor, expected: Tensor) -> None:
    segmenter = answering(torch.where(single, 1.0, -1.0)[None], torch.where(CANDIDATES[:, 1:], 5.0, -5.0))
    logits = taken(segmenter, Prompts(boxes=torch.tensor([[16.0, 16, 32, 32]])))
    assert torch.equal(logits[0] > 0, expected)
    assert logits.abs().max() == (1 if torch.equal(single, expected) else 5)  # equal fit: the single-mask output stays


def test_a_fit_that_is_hardly_better_changes_nothing() -> None:
    single = torch.where(square(2, 2, 14, 10), 1.0, -1.0)[None]
    single[0, 2, 13] = -1
    segmenter = answering(single, torch.where(square(2, 2, 14, 10), 5.0, -5.0)[None, None])
    assert torch.equal(taken(segmenter, Prompts(boxes=torch.tensor([[8.0, 8, 55, 40]]))), single)


def test_a_prompt_with_a_mask_keeps_the_single_mask_output() -> None:
    single = torch.where(PART, 1.0, -1.0)[None].expand(2, -1, -1)
    segmenter = answering(single, torch.where(CANDIDATES[:, 1:], 5.0, -5.0).expand(2, -1, -1, -1))
    drawn = torch.stack([torch.where(WHOLE, 6.0, -6.0), torch.full((GRID, GRID), NAN)])
    logits = taken(segmenter, Prompts(boxes=torch.tensor([[16.0, 16, 32, 32]] * 2), masks=drawn))
    assert torch.equal(logits[0], single[0])
    assert torch.equal(logits[1] > 0, WHOLE)
