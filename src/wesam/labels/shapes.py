"""Boxes and masks of a label file, made to fit their image: the door that every format passes through."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from pycocotools import mask as coco_mask

from wesam.errors import WesamError

# Labelling tools round and draw over the border by a pixel or two. More means labels of another image size.
OVERSHOOT = 2.0


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


def polygons_to_rle(polygons: Sequence[Sequence[float]], width: int, height: int) -> dict[str, Any]:
    """The union of polygons as a mask in COCO compressed run-length encoding.

    Args:
        polygons: ``[x, y, x, y, ...]`` each, finite, in pixels; clipped as boxes are.
        width, height: size of the image in pixels.

    Raises:
        WesamError: if there is no polygon, one has fewer than 3 vertices or goes further over the border than
            `OVERSHOOT`, or no pixel is covered.
    """
    if not polygons:
        raise WesamError("expected at least one polygon, got none")
    fitted = []
    for polygon in polygons:
        # pycocotools would take four numbers for a box.
        if len(polygon) < 6 or len(polygon) % 2:
            raise WesamError(f"expected polygons of 3 or more (x, y) pairs, got {len(polygon)} numbers")
        corners = np.asarray(polygon, dtype=np.float64).reshape(-1, 2)
        (x0, y0), (x1, y1) = corners.min(axis=0), corners.max(axis=0)
        if max(-x0, -y0, x1 - width, y1 - height) > OVERSHOOT:
            raise WesamError(
                f"expected polygons inside the image of {width} x {height} px, got {_edges((x0, y0, x1, y1))}"
            )
        fitted.append(corners.clip(0, (width, height)).ravel().tolist())
    rle: dict[str, Any] = coco_mask.merge(coco_mask.frPyObjects(fitted, height, width))
    if not coco_mask.area(rle):
        raise WesamError("expected polygons that cover a pixel, got an empty mask")
    return rle


def fit_rle(size: object, counts: object, width: int, height: int) -> dict[str, Any]:
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
    rle: dict[str, Any] = coco_mask.frPyObjects({"size": size, "counts": runs}, height, width)
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


def _check_not_empty(box: tuple[float, float, float, float]) -> None:
    x0, y0, x1, y1 = box
    if x0 >= x1 or y0 >= y1:
        raise WesamError(f"expected a box of positive width and height, got {_edges(box)}")


def _edges(box: tuple[float, float, float, float]) -> str:
    return f"x {box[0]:g} to {box[2]:g}, y {box[1]:g} to {box[3]:g}"
