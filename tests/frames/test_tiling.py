import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from wesam.errors import WesamError
from wesam.frames.tiling import instance_extents, is_cut_off, plan_crops
from wesam.masks import Rle, encode_mask
from wesam.types import Instance


@st.composite
def scenes(draw: st.DrawFn) -> tuple[int, int, np.ndarray, int, int]:
    width, height = draw(st.integers(1, 300)), draw(st.integers(1, 300))
    boxes = []
    for _ in range(draw(st.integers(0, 8))):
        x0, y0 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
        boxes.append((x0, y0, draw(st.integers(x0 + 1, width)), draw(st.integers(y0 + 1, height))))
    tile = draw(st.integers(2, 120))
    overlap = draw(st.integers(0, tile - 1).filter(lambda value: tile - value > 3 or tile < 8))
    return width, height, np.array(boxes, float).reshape(-1, 4), tile, overlap


def holds(crop: tuple[int, int, int, int], box: np.ndarray) -> bool:
    return bool((np.array(crop[:2]) <= box[:2]).all() and (box[2:] <= np.array(crop[2:])).all())


@given(scenes())
def test_every_object_lies_in_the_one_crop_that_answers_for_it(scene: tuple[int, int, np.ndarray, int, int]) -> None:
    width, height, boxes, tile, overlap = scene
    plan = plan_crops(width, height, boxes, tile, overlap)
    assert sorted(index for _, indices in plan for index in indices) == list(range(len(boxes)))
    assert len({crop for crop, _ in plan}) == len(plan)
    for crop, indices in plan:
        assert indices
        assert 0 <= crop[0] < crop[2] <= width
        assert 0 <= crop[1] < crop[3] <= height
        assert all(holds(crop, boxes[index]) for index in indices)


@given(scenes())
def test_crops_are_whole_tiles_or_the_whole_image(scene: tuple[int, int, np.ndarray, int, int]) -> None:
    width, height, boxes, tile, overlap = scene
    for crop, _ in plan_crops(width, height, boxes, tile, overlap):
        size = crop[2] - crop[0], crop[3] - crop[1]
        assert crop == (0, 0, width, height) or size == (min(tile, width), min(tile, height))


@given(scenes())
def test_what_fits_the_overlap_never_needs_the_whole_image(scene: tuple[int, int, np.ndarray, int, int]) -> None:
    width, height, boxes, tile, overlap = scene
    for crop, indices in plan_crops(width, height, boxes, tile, overlap):
        if crop != (0, 0, width, height) or (width <= tile and height <= tile):
            continue
        for box in boxes[indices]:
            assert max(box[2:] - box[:2]) > overlap


@given(scenes())
def test_without_tiles_one_crop_answers_for_all(scene: tuple[int, int, np.ndarray, int, int]) -> None:
    width, height, boxes, _, overlap = scene
    expected = [((0, 0, width, height), list(range(len(boxes))))] if len(boxes) else []
    assert plan_crops(width, height, boxes, None, overlap) == expected
    assert plan_crops(width, height, boxes, max(width, height, overlap + 1), overlap) == expected


def test_an_object_goes_to_the_tile_that_centres_it_best() -> None:
    # Tiles begin at 0, 50 and 100; the box lies in the first two, nearer the middle of the second.
    plan = plan_crops(200, 100, np.array([[70.0, 40, 98, 60]]), tile=100, overlap=50)
    assert plan == [((50, 0, 150, 100), [0])]


def test_the_too_large_and_the_straddling_see_the_whole_image() -> None:
    boxes = np.array([[10.0, 10, 20, 20], [0, 0, 150, 30], [95, 10, 105, 20]])
    plan = plan_crops(200, 100, boxes, tile=100, overlap=0)
    assert plan == [((0, 0, 100, 100), [0]), ((0, 0, 200, 100), [1, 2])]


def test_a_box_that_sticks_out_of_the_image_counts_by_what_is_on_it() -> None:
    plan = plan_crops(200, 100, np.array([[-30.0, -5, 40, 30]]), tile=100, overlap=0)
    assert plan == [((0, 0, 100, 100), [0])]


@pytest.mark.parametrize("overlap", [-1, 64])
def test_refuses_an_overlap_that_does_not_fit(overlap: int) -> None:
    with pytest.raises(WesamError, match=f"overlap.*got {overlap}"):
        plan_crops(200, 100, np.zeros((1, 4)), tile=64, overlap=overlap)


def test_extent_is_that_of_the_box_then_the_mask_then_the_points() -> None:
    mask = np.zeros((20, 30), np.uint8, order="F")
    mask[4:9, 10:25] = 1
    rle = coco_mask.encode(mask)
    points = ((5.0, 6.0, 1), (9.0, 2.0, 1), (29.0, 19.0, 0))
    extents = instance_extents(
        [
            Instance("all", box=(1, 2, 3, 4), points=points, rle=rle),
            Instance("mask", points=points, rle=rle),
            Instance("points", points=points),
            Instance("negative", points=points[2:]),
        ]
    )
    assert extents.tolist() == [[1, 2, 3, 4], [10, 4, 25, 9], [5, 2, 10, 7], [29, 19, 30, 20]]
    assert instance_extents([]).shape == (0, 4)


def test_a_mask_is_cut_off_where_its_tile_ends_and_the_image_does_not() -> None:
    def mask(x0: int, y0: int, x1: int, y1: int) -> Rle:
        pixels = np.zeros((60, 100), dtype=bool)
        pixels[y0:y1, x0:x1] = True
        return encode_mask(pixels)

    tile = (0, 20, 40, 60)
    assert not is_cut_off(mask(0, 30, 20, 60), tile, (100, 60))  # at sides of the image alone
    assert is_cut_off(mask(10, 30, 40, 50), tile, (100, 60))
    assert is_cut_off(mask(10, 20, 30, 50), tile, (100, 60))
    assert not is_cut_off(mask(5, 5, 5, 5), tile, (100, 60))  # empty
