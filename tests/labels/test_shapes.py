from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from wesam.errors import WesamError
from wesam.labels.shapes import finite_floats, fit_box, fit_rle, polygons_to_rle

HEIGHT, WIDTH = 10, 14


@pytest.mark.parametrize("values", [None, "1234", [1, "2"], [1, True], [1, None], [1, math.nan], [10**400], 3, {}])
def test_finite_floats_refuses(values: object) -> None:
    with pytest.raises(WesamError, match="expected two numbers, got"):
        finite_floats(values, "two numbers")


def test_finite_floats_accepts() -> None:
    assert finite_floats([1, 2.5], "") == [1.0, 2.5]


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((0, 0, 14, 10), (0, 0, 14, 10)),
        ((-2, -0.5, 15, 12), (0, 0, 14, 10)),
        ((3.5, 4, 3.75, 5), (3.5, 4, 3.75, 5)),
    ],
)
def test_fit_box_clips_what_rounding_explains(box: tuple[float, ...], expected: tuple[float, ...]) -> None:
    assert fit_box(box, WIDTH, HEIGHT) == expected


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((-2.1, 0, 5, 5), "inside the image of 14 x 10 px, got x -2.1 to 5, y 0 to 5"),
        ((0, 0, 14, 12.1), "inside the image"),
        ((20, 20, 30, 30), "inside the image"),
        ((-2, 0, 0, 5), "positive width and height"),  # nothing is left when clipped
        ((5, 5, 5, 8), "positive width and height"),
    ],
)
def test_fit_box_refuses(box: tuple[float, ...], message: str) -> None:
    with pytest.raises(WesamError, match=message):
        fit_box(box, WIDTH, HEIGHT)


def test_polygons_fill_the_pixels_between_their_edges() -> None:
    expected = np.zeros((HEIGHT, WIDTH), bool)
    expected[2:6, 3:9] = True
    expected[8:10, 12:14] = True
    rle = polygons_to_rle([[3, 2, 9, 2, 9, 6, 3, 6], [12, 8, 15, 8, 15, 11, 12, 11]], WIDTH, HEIGHT)
    np.testing.assert_array_equal(coco_mask.decode(rle).astype(bool), expected)


@pytest.mark.parametrize(
    ("polygons", "message"),
    [
        ([], "got none"),
        ([[1, 2, 3, 4]], "3 or more .* got 4 numbers"),  # pycocotools would read a box
        ([[1, 2, 3, 4, 5, 6, 7]], "got 7 numbers"),
        ([[1, 1, 5, 1, 1e9, 5]], "inside the image"),
        ([[1, 1, 5, 5, 1, 1]], "empty mask"),
    ],
)
def test_polygons_refused(polygons: list[list[float]], message: str) -> None:
    with pytest.raises(WesamError, match=message):
        polygons_to_rle(polygons, WIDTH, HEIGHT)


masks = st.lists(st.booleans(), min_size=HEIGHT * WIDTH, max_size=HEIGHT * WIDTH).filter(any)


def runs_of(mask: np.ndarray) -> list[int]:
    """Slow oracle: run lengths down the columns, the first of zeros."""
    runs, value = [0], False
    for pixel in mask.T.ravel():
        if pixel != value:
            runs.append(0)
            value = not value
        runs[-1] += 1
    return runs


@given(masks)
def test_compressed_and_uncompressed_rle_decode_to_the_mask(pixels: list[bool]) -> None:
    mask = np.array(pixels).reshape(HEIGHT, WIDTH)
    compressed = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
    for counts in (compressed, runs_of(mask)):
        rle = fit_rle([HEIGHT, WIDTH], counts, WIDTH, HEIGHT)
        assert isinstance(rle["counts"], bytes)
        np.testing.assert_array_equal(coco_mask.decode(rle).astype(bool), mask)


@given(masks, st.data())
def test_missing_runs_are_noticed(pixels: list[bool], data: st.DataObject) -> None:
    runs = runs_of(np.array(pixels).reshape(HEIGHT, WIDTH))
    del runs[data.draw(st.integers(0, len(runs) - 1)) :]
    size = {"size": [HEIGHT, WIDTH], "counts": runs or [0]}
    compressed = coco_mask.frPyObjects(size, HEIGHT, WIDTH)["counts"].decode()
    for counts in (runs, compressed):
        with pytest.raises(WesamError, match="add up to 10 x 14"):
            fit_rle([HEIGHT, WIDTH], counts, WIDTH, HEIGHT)


def test_compressed_rle_with_empty_runs_inside_is_still_whole() -> None:
    loose = coco_mask.frPyObjects({"size": [HEIGHT, WIDTH], "counts": [5, 3, 0, 2, 130]}, HEIGHT, WIDTH)
    rle = fit_rle([HEIGHT, WIDTH], loose["counts"].decode(), WIDTH, HEIGHT)
    assert coco_mask.area(rle) == 5


@pytest.mark.parametrize(
    ("size", "counts", "message"),
    [
        ([WIDTH, HEIGHT], [0, 140], r"size \[10, 14\] \(height, width\), got \[14, 10\]"),
        (None, [0, 140], "got None"),
        ([HEIGHT, WIDTH], [0, 141], "add up"),
        ([HEIGHT, WIDTH], [-5, 145], "add up"),
        ([HEIGHT, WIDTH], [0.5, 139.5], "whole numbers or as text"),
        ([HEIGHT, WIDTH], "zzzzzzzzzzzz", "compressed text"),
        ([HEIGHT, WIDTH], "ooo", "complete"),
        ([HEIGHT, WIDTH], "", "add up"),  # this and the next end the process in pycocotools 2.0
        ([HEIGHT, WIDTH], "é", "compressed text"),
        ([HEIGHT, WIDTH], None, "whole numbers or as text"),
        ([HEIGHT, WIDTH], [140], "got an empty one"),
    ],
)
def test_rle_refused(size: object, counts: object, message: str) -> None:
    with pytest.raises(WesamError, match=message):
        fit_rle(size, counts, WIDTH, HEIGHT)
