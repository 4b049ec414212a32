from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from wesam.errors import WesamError
from wesam.labels.shapes import (
    crop_to_rle,
    ellipse_to_rle,
    finite_floats,
    fit_box,
    fit_point,
    fit_rle,
    fit_rotated_box,
    parse_floats,
    polygons_to_rle,
)

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


def test_a_turned_box_is_the_upright_one_around_it() -> None:
    assert fit_rotated_box((2, 2, 6, 4), 90, (2, 2), WIDTH, HEIGHT) == pytest.approx((0, 2, 2, 6))  # clockwise
    assert fit_rotated_box((2, 2, 6, 4), 180, (4, 3), WIDTH, HEIGHT) == pytest.approx((2, 2, 6, 4))
    half = 2**0.5
    assert fit_rotated_box((4, 4, 6, 6), 45, (5, 5), WIDTH, HEIGHT) == pytest.approx(
        (5 - half, 5 - half, 5 + half, 5 + half)
    )
    assert fit_rotated_box((0, 0, 14, 10), 30, (7, 5), WIDTH, HEIGHT) == (0, 0, 14, 10)  # its corners leave the image
    with pytest.raises(WesamError, match="inside the image"):
        fit_rotated_box((0, 0, 20, 10), 360, (7, 5), WIDTH, HEIGHT)
    with pytest.raises(WesamError, match="positive width"):
        fit_rotated_box((50, 50, 60, 60), 30, (55, 55), WIDTH, HEIGHT)


def test_points_are_moved_onto_the_image_from_just_outside() -> None:
    assert fit_point(3.25, 4, WIDTH, HEIGHT) == (3.25, 4)
    assert fit_point(-2.5, 11.5, WIDTH, HEIGHT) == (0, 9)
    for x, y in ((-2.6, 0), (0, 11.6)):
        with pytest.raises(WesamError, match="a point inside the image of 14 x 10 px, got x"):
            fit_point(x, y, WIDTH, HEIGHT)


def test_an_ellipse_covers_the_pixels_whose_centres_it_holds() -> None:
    ys, xs = np.mgrid[:40, :60] + 0.5
    expected = ((xs - 30) / 20) ** 2 + ((ys - 20) / 9) ** 2 < 1
    upright = coco_mask.decode(ellipse_to_rle((30, 20), (20, 9), 0, 60, 40)).astype(bool)
    assert (upright != expected).sum() < 0.05 * expected.sum()
    turned = coco_mask.decode(ellipse_to_rle((30, 20), (9, 20), 90, 60, 40)).astype(bool)
    assert (turned != expected).sum() < 0.05 * expected.sum()
    cut = coco_mask.decode(ellipse_to_rle((0, 20), (20, 9), 0, 60, 40)).astype(bool)
    half = (xs / 20) ** 2 + ((ys - 20) / 9) ** 2 < 1
    assert (cut != half).sum() < 0.05 * half.sum()


@pytest.mark.parametrize(("centre", "radii"), [((90, 20), (5, 5)), ((30, 20), (0, 5)), ((30, 20), (5, -1))])
def test_no_ellipse(centre: tuple[float, float], radii: tuple[float, float]) -> None:
    with pytest.raises(WesamError, match="expected"):
        ellipse_to_rle(centre, radii, 0, 60, 40)


def test_a_part_of_a_mask_lands_where_it_belongs() -> None:
    crop = np.array([[True, False, True]])
    mask = coco_mask.decode(crop_to_rle(crop, 11, 9, WIDTH, HEIGHT))
    assert mask.nonzero()[0].tolist() == [9, 9]
    assert mask.nonzero()[1].tolist() == [11, 13]
    for left, top in ((12, 0), (-1, 0), (0, 10), (0, -1)):
        with pytest.raises(WesamError, match="a mask inside the image"):
            crop_to_rle(crop, left, top, WIDTH, HEIGHT)
    with pytest.raises(WesamError, match="an empty one"):
        crop_to_rle(~crop & crop, 0, 0, WIDTH, HEIGHT)


@pytest.mark.parametrize("texts", [["1", "x"], ["nan"], ["inf"], [""], ["1,5"]])
def test_texts_that_are_no_numbers(texts: list[str]) -> None:
    with pytest.raises(WesamError, match="expected numbers, got"):
        parse_floats(texts, "numbers")


def test_an_outline_made_to_exhaust_the_memory_is_refused() -> None:
    zigzag = [number for index in range(3000) for number in (index % 2 * 14_000, index * 4)]
    with pytest.raises(WesamError, match="outline of at most 4000000 px"):
        polygons_to_rle([zigzag], 14_000, 14_000)
    assert polygons_to_rle([zigzag[:200]], 14_000, 14_000)


@pytest.mark.parametrize("far", [1e308, -1e308, float("inf"), float("nan")])
def test_shapes_beyond_all_numbers_are_refused(far: float) -> None:
    """pycocotools ends the process on a polygon with NaN, which is what 1e308 turned about itself comes to."""
    with pytest.raises(WesamError):
        ellipse_to_rle((far, 20), (abs(far), abs(far)), 0, WIDTH, HEIGHT)
    with pytest.raises(WesamError):
        fit_rotated_box((-abs(far), 0, abs(far), 10), 30, (far, 0), WIDTH, HEIGHT)
    with pytest.raises(WesamError):
        polygons_to_rle([[far, 1, 9, 1, 9, 9]], WIDTH, HEIGHT)
    with pytest.raises(WesamError):
        polygons_to_rle([[1, far, 9, 1, 9, 9]], WIDTH, HEIGHT)
