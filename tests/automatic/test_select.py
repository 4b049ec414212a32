from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from tests.automatic.conftest import PatchSegmenter, picture
from wesam.automatic.candidates import Candidates, find_candidates
from wesam.automatic.select import Thresholds, choose_thresholds, select_masks, sized
from wesam.automatic.settings import AutomaticSettings, GridSettings

ALL = Thresholds(0.0, 0.0)
KEEP_ALL = AutomaticSettings(box_nms=None, mask_nms=None, max_area=1)


@pytest.fixture
def two(patches: PatchSegmenter) -> Candidates:
    """Two rectangles in 64 x 128 pixels, found many times, and their union."""
    image = picture(64, 128, (20, 10, 50, 30), (80, 20, 120, 60))
    return find_candidates(patches, image, GridSettings(points_per_side=16))


def test_each_object_is_chosen_once_with_its_box_and_a_point_well_inside(
    two: Candidates, patches: PatchSegmenter
) -> None:
    found = select_masks(two, Thresholds(0.8, 0.9), AutomaticSettings(), patches, (64, 128))
    assert len(found) == 2
    for mask, box in zip(sorted(found, key=lambda mask: mask.box), ((20, 10, 50, 30), (80, 20, 120, 60)), strict=True):
        np.testing.assert_allclose(mask.box, box, atol=2)
        np.testing.assert_allclose(coco_mask.toBbox(mask.rle)[:2], mask.box[:2])
        x, y = mask.point
        least = min(box[2] - box[0], box[3] - box[1]) / 2
        assert min(x - box[0], box[2] - x, y - box[1], box[3] - y) > 0.8 * least
        assert mask.iou == pytest.approx(0.9)
        assert mask.stability == 1.0


def test_low_predicted_iou_and_low_stability_go(two: Candidates, patches: PatchSegmenter) -> None:
    def count(iou: float, stability: float) -> int:
        return len(select_masks(two, Thresholds(iou, stability), AutomaticSettings(), patches, (64, 128)))

    assert count(0, 0) == 3  # with the union, predicted 0.5 and not stable
    assert count(0.6, 0) == 2
    assert count(0, 0.5) == 2
    assert count(0.95, 0) == 0


def test_without_suppression_every_find_stays(two: Candidates, patches: PatchSegmenter) -> None:
    found = select_masks(two, ALL, KEEP_ALL, patches, (64, 128))
    assert len(found) == len(two) > 10
    assert [mask.iou for mask in found] == sorted((mask.iou for mask in found), reverse=True)


@pytest.mark.parametrize("change", [{"box_nms": None}, {"mask_nms": None}])
def test_either_suppression_is_enough_for_equal_masks(
    change: dict[str, None], two: Candidates, patches: PatchSegmenter
) -> None:
    settings = AutomaticSettings(**change)  # type: ignore[arg-type]
    assert len(select_masks(two, ALL, settings, patches, (64, 128))) == 3


def test_specks_and_backgrounds_are_no_prompts(patches: PatchSegmenter) -> None:
    image = picture(64, 64, (0, 0, 64, 62))
    found = find_candidates(patches, image, GridSettings(points_per_side=4))
    assert select_masks(found, ALL, AutomaticSettings(), patches, (64, 64)) == []
    assert len(select_masks(found, ALL, AutomaticSettings(max_area=1, max_around=1), patches, (64, 64))) == 1
    small = find_candidates(patches, picture(64, 64, (30, 30, 33, 33)), GridSettings(points_per_side=32))
    assert len(select_masks(small, ALL, AutomaticSettings(min_cells=9), patches, (64, 64))) == 1
    assert select_masks(small, ALL, AutomaticSettings(min_cells=10), patches, (64, 64)) == []


def test_what_reaches_around_the_image_and_fills_most_of_it_is_background(two: Candidates) -> None:
    whole, half = (0, 0, 128, 64), (0, 0, 128, 40)
    boxes, share = np.array([whole, whole, half], np.float32), np.array([0.6, 0.1, 0.6], np.float32)
    three = replace(two, boxes=boxes, share=share, cells=np.full(3, 99, np.int32))
    # A table behind the things on it; a road from corner to corner; a thing that is large.
    assert sized(three, AutomaticSettings()).tolist() == [False, True, True]
    assert sized(three, AutomaticSettings(max_around=0.7)).all()
    assert sized(three, AutomaticSettings(max_area=0.5)).tolist() == [False, True, False]


def test_quantiles_are_over_the_image_set_and_fixed_thresholds_win(two: Candidates) -> None:
    count = len(two)
    low = replace(two, iou=np.linspace(0, 0.2, count, dtype=np.float32), stability=np.zeros(count, np.float32))
    high = replace(
        two,
        iou=np.linspace(0.5, 0.7, count, dtype=np.float32),
        stability=np.linspace(0, 1, count, dtype=np.float32),
    )
    found = choose_thresholds([low, high], AutomaticSettings(iou_quantile=0.5, stability_quantile=0.25))
    assert 0.2 < found.iou < 0.5  # all of the worse image goes
    assert found.stability == pytest.approx(0.25, abs=0.02)  # of those that are left
    fixed = AutomaticSettings(iou_threshold=0.88, stability_threshold=0.95)
    assert choose_thresholds([low, high], fixed) == Thresholds(0.88, 0.95)


def test_images_without_candidates_have_thresholds(two: Candidates, patches: PatchSegmenter) -> None:
    empty = find_candidates(patches, picture(8, 8), GridSettings(points_per_side=2))
    assert choose_thresholds([empty], AutomaticSettings()) == ALL
    assert select_masks(empty, ALL, AutomaticSettings(), patches, (8, 8)) == []
