"""Boxes and masks of a label file, made to fit their image: the door that every format passes through."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from pycocotools import mask as coco_mask

from wesam.errors import WesamError
from wesam.masks import Rle, encode_mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Labelling tools round and draw over the border by a pixel or two. More means labels of another image size.
OVERSHOOT = 2.0

# Longest outline of all polygons of one object, in pixels. pycocotools takes about a hundred bytes a pixel of it, which
# a zigzag of a few thousand corners across a large image would drive into gigabytes.
MAX_OUTLINE = 4_000_000


class FractionsError(WesamError):
    """A shape without a pixel, as its coordinates lie within 0..1: perhaps they are fractions of the image's size."""


def finite_floats(values: object, expected: str) -> list[float]:
    """The numbers of a JSON list as floats.

    Raises:
        WesamError: if `values` is not a list of finite numbers; the message says `expected`.
    """
    numbers = isinstance(values, Sequence) and not isinstance(values, str | bytes)
    if numbers and all(isinstance(v, int | float) and not isinstance(v, bool) for v in cast(Any, values)):
        try:
            floats = [float(v) for v in cast(Any, values)]
        except OverflowError:  # an integer of more than 300 digits
            floats = [math.inf]
        if all(map(math.isfinite, floats)):
            return floats
    raise WesamError(f"expected {expected}, got {reprlib.repr(values)}")


def parse_floats(texts: Sequence[str], expected: str) -> list[float]:
    """Numbers of a text format.

    Raises:
        WesamError: if one is not a finite number; the message says `expected`.
    """
    try:
        return finite_floats([float(text) for text in texts], expected)
    except ValueError as error:  # a WesamError is one too
        raise WesamError(f"expected {expected}, got {reprlib.repr(' '.join(texts))}") from error


def fit_box(box: tuple[float, float, float, float], width: int, height: int) -> tuple[float, float, float, float]:
    """A box clipped to its image, if it goes over the border by no more than `OVERSHOOT` pixels.

    Args:
        box: finite ``(x0, y0, x1, y1)`` pixel edges.
        width, height: size of the image in pixels.

    Raises:
        WesamError: if the box is empty, before or after, or goes further over the border.
    """
    _check_not_empty(box)
    x0, y0, x1, y1 = box
    if max(-x0, -y0, x1 - width, y1 - height) > OVERSHOOT:
        raise WesamError(f"expected a box inside the image of {width} x {height} px, got {_edges(box)}")
    clipped = (max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height)))
    _check_not_empty(clipped)
    return clipped


def fit_rotated_box(
    box: tuple[float, float, float, float], degrees: float, pivot: tuple[float, float], width: int, height: int
) -> tuple[float, float, float, float]:
    """The upright box around a rotated one, cut at the borders of the image, which its corners may well leave.

    Args:
        box: ``(x0, y0, x1, y1)`` before it was turned.
        degrees: how far, clockwise as a person sees it.
        pivot: the point ``(x, y)`` it was turned about.
        width, height: size of the image in pixels.

    Raises:
        WesamError: as `fit_box` does.
    """
    if degrees % 360 == 0:
        return fit_box(box, width, height)
    _check_not_empty(box)
    x0, y0, x1, y1 = box
    corners = _turned(np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]), degrees, pivot).clip(0, (width, height))
    (x0, y0), (x1, y1) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    return fit_box((x0, y0, x1, y1), width, height)


def box_iou(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    """Intersection over union of two boxes ``(x0, y0, x1, y1)`` that are not empty."""
    width, height = (min(one[i + 2], other[i + 2]) - max(one[i], other[i]) for i in (0, 1))
    shared = max(width, 0.0) * max(height, 0.0)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return shared / (areas - shared)


def fit_point(x: float, y: float, width: int, height: int) -> tuple[float, float]:
    """A point moved onto its image, if it lies beside it by no more than `OVERSHOOT` pixels.

    Args:
        x, y: pixel indices, so that the first pixel's centre is (0, 0): half a pixel less than a distance from
            the image's corner, which most labelling tools write.
        width, height: size of the image in pixels.

    Raises:
        WesamError: if it is further outside.
    """
    if max(-0.5 - x, -0.5 - y, x + 0.5 - width, y + 0.5 - height) > OVERSHOOT:
        raise WesamError(f"expected a point inside the image of {width} x {height} px, got x {x:g}, y {y:g}")
    return min(max(x, 0.0), width - 1.0), min(max(y, 0.0), height - 1.0)


def ellipse_to_rle(
    centre: tuple[float, float], radii: tuple[float, float], degrees: float, width: int, height: int
) -> Rle:
    """An ellipse as a mask, cut at the borders of the image, which it may well leave.

    Args:
        centre, radii: (x, y) in pixels.
        degrees: how far it is turned, clockwise as a person sees it.
        width, height: size of the image in pixels.

    Raises:
        WesamError: if a radius is not positive or no pixel of the image is covered.
    """
    if not min(radii) > 0:
        raise WesamError(f"expected radii above 0, got {radii[0]:g} and {radii[1]:g}")
    angles = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    with np.errstate(over="ignore", invalid="ignore"):
        outline = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii + centre
    corners = _turned(outline, degrees, centre).clip(0, (width, height))
    return polygons_to_rle([corners.ravel().tolist()], width, height)


def mask_to_rle(mask: NDArray[np.bool_]) -> Rle:
    """A mask in COCO compressed run-length encoding.

    Args:
        mask: (H, W) bool, of the whole image.

    Raises:
        WesamError: if no pixel is covered.
    """
    height, width = mask.shape
    return crop_to_rle(mask, 0, 0, width, height)


def crop_to_rle(crop: NDArray[np.bool_], left: int, top: int, width: int, height: int) -> Rle:
    """A mask that is given as a part of the image and where that part lies.

    Args:
        crop: (h, w) bool.
        left, top: position of its first pixel in the image.
        width, height: size of the image in pixels.

    Raises:
        WesamError: if the part leaves the image or no pixel is covered.
    """
    bottom, right = top + crop.shape[0], left + crop.shape[1]
    if left < 0 or top < 0 or right > width or bottom > height:
        raise WesamError(
            f"expected a mask inside the image of {width} x {height} px, got {_edges((left, top, right, bottom))}"
        )
    if not crop.any():
        raise WesamError("expected a mask that covers a pixel, got an empty one")
    return encode_mask(crop, (height, width), (left, top))


def polygons_to_rle(polygons: Sequence[Sequence[float]], width: int, height: int) -> Rle:
    """The union of polygons as a mask in COCO compressed run-length encoding.

    Args:
        polygons: ``[x, y, x, y, ...]`` each, finite, in pixels; clipped as boxes are.
        width, height: size of the image in pixels.

    Raises:
        WesamError: if there is no polygon, one has fewer than 3 vertices or goes further over the border than
            `OVERSHOOT`, their outline is longer than `MAX_OUTLINE`, or no pixel is covered.
    """
    if not polygons:
        raise WesamError("expected at least one polygon, got none")
    fitted = []
    outline = 0.0
    for polygon in polygons:
        # pycocotools would take four numbers for a box.
        if len(polygon) < 6 or len(polygon) % 2:
            raise WesamError(f"expected polygons of 3 or more (x, y) pairs, got {len(polygon)} numbers")
        corners = np.asarray(polygon, dtype=np.float64).reshape(-1, 2)
        (x0, y0), (x1, y1) = corners.min(axis=0), corners.max(axis=0)
        # pycocotools ends the process on NaN.
        if not np.isfinite(corners).all() or max(-x0, -y0, x1 - width, y1 - height) > OVERSHOOT:
            raise WesamError(
                f"expected polygons inside the image of {width} x {height} px, got {_edges((x0, y0, x1, y1))}"
            )
        clipped = corners.clip(0, (width, height))
        outline += float(np.abs(clipped - np.roll(clipped, 1, axis=0)).sum())
        if outline > MAX_OUTLINE:
            raise WesamError(f"expected polygons with an outline of at most {MAX_OUTLINE} px, got a longer one")
        fitted.append(clipped.ravel().tolist())
    rle: Rle = coco_mask.merge(coco_mask.frPyObjects(fitted, height, width))
    if not coco_mask.area(rle):
        first = all(number <= 1 for polygon in fitted for number in polygon)
        raise (FractionsError if first else WesamError)("expected polygons that cover a pixel, got an empty mask")
    return rle


def fit_rle(size: object, counts: object, width: int, height: int) -> Rle:
    """A mask in COCO run-length encoding, checked and compressed.

    Args:
        size: ``[height, width]`` as the file says.
        counts: run lengths (uncompressed) or COCO's text of them (compressed).
        width, height: size of the image in pixels.

    Raises:
        WesamError: if `size` is not the image's, `counts` is damaged or does not add up to it, or no
            pixel is covered.
    """
    if size != [height, width]:
        raise WesamError(f"expected RLE size [{height}, {width}] (height, width), got {reprlib.repr(size)}")
    if isinstance(counts, str):
        runs = _run_lengths(counts)
    elif isinstance(counts, list) and all(isinstance(run, int) for run in counts):
        runs = counts
    else:
        raise WesamError(f"expected RLE counts as a list of whole numbers or as text, got {reprlib.repr(counts)}")
    if any(run < 0 for run in runs) or sum(runs) != height * width:
        raise WesamError(
            f"expected RLE counts that add up to {height} x {width} pixels, got {reprlib.repr(counts)} "
            f"with a sum of {sum(runs)}"
        )
    rle: Rle = coco_mask.frPyObjects({"size": size, "counts": runs}, height, width)
    if not coco_mask.area(rle):
        raise WesamError("expected a mask that covers a pixel, got an empty one")
    return rle


def _run_lengths(text: str) -> list[int]:
    """COCO's text of run lengths, undone as `rleFrString` of its maskApi.c does it.

    pycocotools trusts such a text: a damaged one gives undefined pixels, or ends the process.
    """
    runs: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48  # six: five of the value, and whether more of them follow
        if not 0 <= bits < 64:
            raise WesamError(f"expected RLE counts in COCO's compressed text, got {reprlib.repr(text)}")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            if bits & 16:  # the sign
                value -= 1 << shift
            # From the fourth run on, the difference to the last run of the same colour is written.
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    if shift:
        raise WesamError(f"expected RLE counts that are complete, got {reprlib.repr(text)}")
    return runs


def _turned(points: NDArray[np.float64], degrees: float, pivot: tuple[float, float]) -> NDArray[np.float64]:
    """(N, 2) points turned about `pivot`; as y points down, a positive angle turns clockwise.

    Raises:
        WesamError: if they are so far out that no number tells where they come to lie.
    """
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    with np.errstate(over="ignore", invalid="ignore"):
        turned: NDArray[np.float64] = (points - pivot) @ np.array([[cos, sin], [-sin, cos]]) + pivot
    if not np.isfinite(turned).all():
        raise WesamError(f"expected a shape near its image, got one around x {pivot[0]:g}, y {pivot[1]:g}")
    return turned


def _check_not_empty(box: tuple[float, float, float, float]) -> None:
    x0, y0, x1, y1 = box
    if x0 >= x1 or y0 >= y1:
        raise WesamError(f"expected a box of positive width and height, got {_edges(box)}")


def _edges(box: tuple[float, float, float, float]) -> str:
    return f"x {box[0]:g} to {box[2]:g}, y {box[1]:g} to {box[3]:g}"
