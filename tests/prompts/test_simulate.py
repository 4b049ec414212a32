from __future__ import annotations

import os

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco_mask

from wesam.prompts.simulate import (
    coarse_polygon,
    instance_generator,
    jittered_box,
    misplaced_box,
    random_points,
    tight_box,
)

masks = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12)).filter(np.any)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def ellipse(height: int = 60, width: int = 80) -> np.ndarray:
    canvas = np.zeros((height, width), np.uint8)
    cv2.ellipse(canvas, (40, 30), (25, 15), 20, 0, 360, 1, -1)
    return canvas.astype(bool)


@given(masks)
def test_tight_box_holds_the_mask_and_cannot_shrink(mask: np.ndarray) -> None:
    x0, y0, x1, y1 = (int(edge) for edge in tight_box(mask))
    assert mask[y0:y1, x0:x1].sum() == mask.sum()
    assert mask[y0, x0:x1].any()
    assert mask[y1 - 1, x0:x1].any()
    assert mask[y0:y1, x0].any()
    assert mask[y0:y1, x1 - 1].any()


def test_tight_box_of_one_pixel_is_one_pixel_wide() -> None:
    mask = np.zeros((5, 6), bool)
    mask[2, 3] = True
    assert tight_box(mask) == (3, 2, 4, 3)


@given(
    st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(1, 20), st.integers(1, 20)),
    st.floats(0, 0.49),
    st.integers(0, 5),
)
def test_a_drawn_box_stays_a_box_in_the_image(corner: tuple[int, int, int, int], jitter: float, seed: int) -> None:
    x, y, w, h = corner
    box = (float(x), float(y), float(x + w), float(y + h))
    generator = np.random.default_rng(seed)
    jittered = jittered_box(box, 40, 40, generator, jitter)
    for x0, y0, x1, y1 in (jittered, misplaced_box(box, 40, 40, generator)):
        assert 0 <= x0 < x1 <= 40 + 1e-9
        assert 0 <= y0 < y1 <= 40 + 1e-9
        assert min(x1 - x0, y1 - y0) >= 1 - 1e-9


def test_too_much_jitter_is_refused() -> None:
    with pytest.raises(ValueError, match="jitter"):
        jittered_box((0, 0, 2, 2), 4, 4, rng(), 0.5)


@given(masks, st.integers(0, 20), st.integers(0, 20), st.sampled_from([None, 1.0, 2.0]))
def test_points_lie_where_their_label_says(
    mask: np.ndarray, positives: int, negatives: int, reach: float | None
) -> None:
    points = random_points(mask, rng(), positives, negatives, reach)
    assert len(set(points)) == len(points)
    for x, y, label in points:
        assert mask[int(y), int(x)] == label
    labels = [label for _, _, label in points]
    assert labels == sorted(labels, reverse=True)
    assert sum(labels) == min(positives, mask.sum())
    if reach is None:
        assert len(labels) - sum(labels) == min(negatives, (~mask).sum())


def test_points_are_five_and_five_from_the_whole_image() -> None:
    mask = np.zeros((200, 300), bool)
    mask[90:110, 140:160] = True
    labels = [label for _, _, label in random_points(mask, rng())]
    assert labels == [1] * 5 + [0] * 5
    negatives = np.array([(x, y) for x, y, label in random_points(mask, rng(), 0, 500) if label == 0])
    assert (np.ptp(negatives, axis=0) > (290, 190)).all()


def test_negatives_within_reach_of_the_box() -> None:
    mask = np.zeros((200, 300), bool)
    mask[90:110, 140:160] = True
    negatives = np.array([(x, y) for x, y, _ in random_points(mask, rng(), 0, 5000, reach=2.0)])
    assert (negatives.min(axis=0) == (130, 80)).all()
    assert (negatives.max(axis=0) == (169, 119)).all()
    assert len(negatives) == 40 * 40 - 20 * 20


def test_positives_are_uniform_over_the_mask() -> None:
    mask = np.zeros((10, 10), bool)
    mask[0, 0] = mask[5, 5] = mask[9, 0] = mask[3, 8] = True
    generator = rng()
    drawn = [random_points(mask, generator, 1, 0)[0][:2] for _ in range(2000)]
    counts = [drawn.count((float(x), float(y))) for y, x in np.argwhere(mask)]
    assert sum(counts) == 2000
    assert min(counts) > 400


def test_the_generator_belongs_to_the_instance() -> None:
    def draw(*key: object) -> float:
        return float(instance_generator(*key).random())  # type: ignore[arg-type]

    assert draw(0, "a", "1") == draw(0, "a", "1")
    others = {draw(*key) for key in [(0, "a", "1"), (1, "a", "1"), (0, "b", "1"), (0, "a", "2"), (0, "a1", "")]}
    assert len(others) == 5


def test_the_generator_is_the_same_in_every_process() -> None:
    assert instance_generator(3, "é/a.png", "7").bit_generator.random_raw() == 1543252387338093764


def fill_holes(mask: np.ndarray) -> np.ndarray:
    """Slow oracle: what a flood of 4-neighbours from outside the image cannot reach."""
    outside = np.pad(~mask, 1, constant_values=True)
    reached = np.zeros_like(outside)
    reached[0, 0] = True
    while True:
        grown = reached.copy()
        grown[1:] |= reached[:-1]
        grown[:-1] |= reached[1:]
        grown[:, 1:] |= reached[:, :-1]
        grown[:, :-1] |= reached[:, 1:]
        grown &= outside
        if (grown == reached).all():
            return ~reached[1:-1, 1:-1]
        reached = grown


def test_enough_vertices_give_the_mask_back_without_its_holes() -> None:
    mask = ellipse()
    mask[28:32, 38:42] = False
    coarse = coco_mask.decode(coarse_polygon(mask, max_vertices=10_000)).astype(bool)
    np.testing.assert_array_equal(coarse, fill_holes(mask))
    assert not np.array_equal(coarse, mask)


@pytest.mark.parametrize(("vertices", "least"), [(4, 0.6), (8, 0.85), (16, 0.93)])
def test_more_vertices_follow_the_mask_more_closely(vertices: int, least: float) -> None:
    mask = ellipse()
    coarse = coco_mask.decode(coarse_polygon(mask, vertices)).astype(bool)
    assert least < (coarse & mask).sum() / (coarse | mask).sum() < 1


def test_a_coarse_mask_has_no_more_corners_than_allowed() -> None:
    coarse = coco_mask.decode(coarse_polygon(ellipse(), 5))
    (outline,), _ = cv2.findContours(coarse, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    assert len(cv2.approxPolyDP(outline, 1.0, closed=True)) <= 5


def test_large_pieces_are_kept_and_crumbs_are_not() -> None:
    mask = np.zeros((40, 60), bool)
    mask[5:25, 5:25] = True
    mask[5:20, 40:55] = True
    mask[35:37, 3:5] = True
    coarse = coco_mask.decode(coarse_polygon(mask)).astype(bool)
    assert coarse[5:25, 5:25].all()
    assert coarse[5:20, 40:55].all()
    assert not coarse[30:].any()
    assert not coarse[:, 27:38].any()


@given(masks, st.integers(3, 12))
def test_a_coarse_mask_has_the_masks_shape_and_stays_in_its_box(mask: np.ndarray, vertices: int) -> None:
    rle = coarse_polygon(mask, vertices)
    assert rle["size"] == list(mask.shape)
    assert isinstance(rle["counts"], bytes)
    coarse = coco_mask.decode(rle).astype(bool)
    assert coarse.any()
    x0, y0, x1, y1 = tight_box(coarse)
    left, top, right, bottom = tight_box(mask)
    assert left <= x0 < x1 <= right
    assert top <= y0 < y1 <= bottom


def test_empty_masks_and_too_few_vertices_are_refused() -> None:
    empty = np.zeros((4, 5), bool)
    for simulate in (tight_box, coarse_polygon, lambda mask: random_points(mask, rng())):
        with pytest.raises(ValueError, match="not empty"):
            simulate(empty)
    with pytest.raises(ValueError, match="at least 3"):
        coarse_polygon(~empty, max_vertices=2)


def test_streams_of_names_that_are_no_text() -> None:
    first, second = (instance_generator(0, os.fsdecode(name), "1").random() for name in (b"\xe9.png", b"\xe8.png"))
    assert first != second
