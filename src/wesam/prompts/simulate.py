"""Weak labels as a person would have drawn them, made from a mask (for benchmarks)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import cv2
import numpy as np

from wesam.masks import Rle, encode_mask, mask_window
from wesam.types import BACKGROUND, FOREGROUND

if TYPE_CHECKING:
    from numpy.typing import NDArray

Box = tuple[float, float, float, float]

# A piece of an object smaller than this share of its largest piece gets no polygon: nobody outlines crumbs.
_SMALLEST_PIECE = 0.1


def instance_generator(seed: int, sample_id: str, instance_id: str, purpose: str = "") -> np.random.Generator:
    """A random stream that belongs to one instance, whatever else is drawn before, after or elsewhere.

    Weak labels are drawn once: redrawn at every step, five points would in time tell the whole mask.

    Args:
        seed: of the whole set.
        sample_id, instance_id: whose stream it is.
        purpose: streams of different purposes are independent, so that asking for more of one thing (negatives)
            does not change another (the box).
    """
    key = "\0".join((str(seed), sample_id, instance_id, *filter(None, [purpose])))
    # Not `hash`, which differs from process to process. Ids come from names of files, whose bytes need be no text.
    digest = hashlib.sha256(key.encode(errors="surrogatepass")).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))


def tight_box(mask: NDArray[np.bool_]) -> Box:
    """The smallest box that holds a mask.

    Args:
        mask: (H, W) bool, not empty.

    Returns:
        ``(x0, y0, x1, y1)`` pixel edges: x1 is the last column + 1.

    Raises:
        ValueError: if the mask is empty.
    """
    rows, columns = _own_window(mask)
    return float(columns.start), float(rows.start), float(columns.stop), float(rows.stop)


def jittered_box(box: Box, width: int, height: int, generator: np.random.Generator, jitter: float) -> Box:
    """A box as drawn by an unsteady hand: each edge moves on its own.

    Args:
        box: ``(x0, y0, x1, y1)`` pixel edges, at least one pixel wide and high.
        width, height: of the image, which the box does not leave.
        generator: where the randomness comes from; four numbers are drawn, whatever the jitter.
        jitter: an edge moves by up to this share of the box's side, uniformly, out or in. Below 0.5, so that
            opposite edges cannot meet.

    Returns:
        ``(x0, y0, x1, y1)`` pixel edges, at least one pixel wide and high.

    Raises:
        ValueError: if the jitter is not in [0, 0.5).
    """
    if not 0 <= jitter < 0.5:
        raise ValueError(f"expected jitter in [0, 0.5), got {jitter}")
    x0, y0, x1, y1 = box
    moves = jitter * generator.uniform(-1, 1, 4)
    left, right = _within(x0 + moves[0] * (x1 - x0), x1 + moves[2] * (x1 - x0), width)
    top, bottom = _within(y0 + moves[1] * (y1 - y0), y1 + moves[3] * (y1 - y0), height)
    return left, top, right, bottom


def misplaced_box(box: Box, width: int, height: int, generator: np.random.Generator) -> Box:
    """A box of the same size somewhere else in the image: a wrong label.

    Of 16 uniform places the first that does not touch the true box is taken, else the one farthest from it (an
    object that fills the image leaves no other place).

    Args:
        box: ``(x0, y0, x1, y1)`` pixel edges inside the image.
        width, height: of the image.
        generator: where the randomness comes from.
    """
    x0, y0, x1, y1 = box
    places = generator.uniform(0, 1, (16, 2)) * (width - (x1 - x0), height - (y1 - y0))
    apart = np.maximum(np.abs(places[:, 0] - x0) / (x1 - x0), np.abs(places[:, 1] - y0) / (y1 - y0))
    free = np.flatnonzero(apart >= 1)
    left, top = places[free[0] if len(free) else apart.argmax()].tolist()
    return left, top, left + (x1 - x0), top + (y1 - y0)


def random_points(
    mask: NDArray[np.bool_],
    generator: np.random.Generator,
    positives: int = 5,
    negatives: int = 5,
    reach: float | None = None,
) -> tuple[tuple[float, float, int], ...]:
    """Random clicks on an object and beside it (WeSAM, arXiv 2312.03502: 5 + 5).

    Every pixel is as likely as another and none is drawn twice, so a tiny object, or one that fills the
    image, gets fewer clicks than asked for.

    Args:
        mask: (H, W) bool, not empty.
        generator: where the randomness comes from; see `instance_generator`.
        positives, negatives: how many clicks on the object, and off it.
        reach: where negatives lie. None: anywhere in the image off the object, as the paper has it. A number:
            only within the object's box with its sides stretched by this factor (2 is twice as wide and
            high), where they say more, but which a benchmark of the paper's must not use.

    Returns:
        ``(x, y, label)`` pixel indices with label 1 (on the object) or 0 (off it), positives first.

    Raises:
        ValueError: if the mask is empty.
    """
    own = _own_window(mask)
    around = (slice(None), slice(None)) if reach is None else _stretched(own, reach, mask.shape)
    on = _draw(mask, own, positives, generator)
    off = _draw(~mask, around, negatives, generator)
    return (*((x, y, FOREGROUND) for x, y in on), *((x, y, BACKGROUND) for x, y in off))


def coarse_polygon(mask: NDArray[np.bool_], max_vertices: int = 8) -> Rle:
    """A mask as someone in a hurry would outline it.

    Each piece of the object gets one polygon, the finest of Douglas and Peucker's simplifications (1973) with
    few enough vertices. Holes are filled; pieces much smaller than the largest are left out.

    Args:
        mask: (H, W) bool, not empty.
        max_vertices: most vertices of one polygon, at least 3.

    Returns:
        The filled polygons as COCO compressed run-length encoding.

    Raises:
        ValueError: if the mask is empty or `max_vertices` is below 3.
    """
    if max_vertices < 3:
        raise ValueError(f"expected max_vertices of at least 3, got {max_vertices}")
    window = _own_window(mask)
    y, x = (side.start for side in window)
    own = np.ascontiguousarray(mask[window], dtype=np.uint8)
    outlines, _ = cv2.findContours(own, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    areas = [_filled([outline], own.shape).sum() for outline in outlines]
    polygons = [
        _simplified(outline, max_vertices)
        for outline, area in zip(outlines, areas, strict=True)
        if area >= _SMALLEST_PIECE * max(areas)
    ]
    return encode_mask(_filled(polygons, own.shape), size=mask.shape, corner=(x, y))


def _own_window(mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    """The rows and the columns from the mask's first to its last pixel."""
    window = mask_window(mask) if mask.ndim == 2 else None
    if window is None:
        raise ValueError(f"expected a mask (H, W) that is not empty, got shape {mask.shape}, {mask.sum()} pixels")
    return window


def _within(start: float, end: float, side: int) -> tuple[float, float]:
    """An interval cut to ``[0, side]``, at least one pixel long."""
    start, end = max(0.0, start), min(float(side), end)
    if end - start < 1:
        start = min(max((start + end - 1) / 2, 0.0), side - 1.0)
        end = start + 1
    return float(start), float(end)


def _stretched(window: tuple[slice, slice], factor: float, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """A window of whole pixels with its sides multiplied about its centre, within an array of `shape`."""

    def side(part: slice, limit: int) -> slice:
        centre, half = (part.start + part.stop) / 2, factor * (part.stop - part.start) / 2
        return slice(max(0, int(np.floor(centre - half))), min(limit, int(np.ceil(centre + half))))

    return side(window[0], shape[0]), side(window[1], shape[1])


def _draw(
    allowed: NDArray[np.bool_], window: tuple[slice, slice], count: int, generator: np.random.Generator
) -> list[tuple[float, float]]:
    """Up to `count` different allowed pixels within a window, as (x, y)."""
    part = allowed[window]
    pixels = np.flatnonzero(part)
    drawn = generator.choice(pixels, size=min(count, len(pixels)), replace=False)
    ys, xs = np.divmod(drawn, part.shape[1])
    top, left = (side.start or 0 for side in window)
    return [(float(x + left), float(y + top)) for x, y in zip(xs, ys, strict=True)]


def _simplified(outline: NDArray[np.int32], max_vertices: int) -> NDArray[np.int32]:
    """The outline (V, 1, 2) itself, or its first simplification that has few enough vertices."""
    tolerance = 0.5  # pixels; below this only the steps of the pixels' edges would go
    polygon = outline
    while len(polygon) > max_vertices:
        polygon = cv2.approxPolyDP(outline, tolerance, closed=True)
        tolerance *= 1.1
    return polygon


def _filled(polygons: list[NDArray[np.int32]], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Each polygon filled by itself: in one call, OpenCV would leave holes where two overlap."""
    canvas = np.zeros(shape, np.uint8)
    for polygon in polygons:
        cv2.fillPoly(canvas, [polygon], 1)
    return canvas.astype(bool)
