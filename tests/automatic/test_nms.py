from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from wesam.automatic.nms import box_nms, mask_nms

SIDE = 12


@st.composite
def scored_boxes(draw: st.DrawFn) -> list[tuple[tuple[int, int, int, int], float]]:
    edge = st.integers(0, SIDE - 1)
    size = st.integers(1, SIDE)
    box = st.tuples(edge, edge, size, size).map(lambda b: (b[0], b[1], min(b[0] + b[2], SIDE), min(b[1] + b[3], SIDE)))
    return draw(st.lists(st.tuples(box, st.sampled_from([0.1, 0.5, 0.5, 0.9])), max_size=12))


def painted(box: tuple[int, int, int, int]) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), np.uint8, order="F")
    mask[box[1] : box[3], box[0] : box[2]] = 1
    return mask


def slow_nms(masks: list[np.ndarray], scores: list[float], limit: float) -> list[int]:
    """From the definition: the best of those left stays, and all it overlaps go; counted pixel by pixel."""
    left = list(range(len(masks)))
    kept = []
    while left:
        best = max(left, key=lambda i: (scores[i], -i))
        kept.append(best)
        left = [
            i for i in left if i != best and (masks[i] & masks[best]).sum() / (masks[i] | masks[best]).sum() <= limit
        ]
    return kept


@given(scored_boxes(), st.sampled_from([0.1, 0.37, 0.7, 1.0]))
def test_keeps_what_a_slow_search_keeps(found: list[tuple[tuple[int, int, int, int], float]], limit: float) -> None:
    masks, scores = [painted(box) for box, _ in found], [score for _, score in found]
    expected = slow_nms(masks, scores, limit)
    boxes = np.array([box for box, _ in found], np.float32).reshape(-1, 4)
    array = np.array(scores, np.float32)
    assert box_nms(boxes, array, limit).tolist() == expected
    assert mask_nms([coco_mask.encode(mask) for mask in masks], array, limit).tolist() == expected


def test_masks_that_share_a_box_but_no_pixel_both_stay() -> None:
    board = np.indices((4, 4)).sum(0) % 2
    masks = [coco_mask.encode(np.asfortranarray(part, np.uint8)) for part in (board, 1 - board)]
    scores = np.array([0.9, 0.8], np.float32)
    boxes = np.array([[0, 0, 4, 4]] * 2, np.float32)
    assert mask_nms(masks, scores, 0.5).tolist() == [0, 1]
    assert box_nms(boxes, scores, 0.5).tolist() == [0]


def test_boxes_without_area_overlap_nothing() -> None:
    boxes = np.array([[1, 1, 1, 1]] * 2, np.float32)
    assert box_nms(boxes, np.array([1, 1], np.float32), 0.5).tolist() == [0, 1]


def test_every_box_needs_a_score() -> None:
    with pytest.raises(ValueError, match=r"expected scores \(2,\), got \(1,\)"):
        box_nms(np.zeros((2, 4), np.float32), np.ones(1, np.float32), 0.5)
