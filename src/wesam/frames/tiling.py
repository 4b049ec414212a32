"""Which parts of a large image are looked at, and which objects each part answers for.

An object of 20 pixels in a 1,000-pixel image vanishes when the image is shrunk to a 256-pixel input; on a tile
of 256 pixels it keeps its size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wesam.errors import WesamError
from wesam.masks import Rle, mask_box
from wesam.types import FOREGROUND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from wesam.types import Instance

Crop = tuple[int, int, int, int]


def instance_extents(instances: Sequence[Instance]) -> NDArray[np.float64]:
    """The box each instance lives in: its box, else its mask's, else the hull of its positive points.

    The hull of points ends with their last pixel; of an instance with negative points alone they count.

    Returns:
        (N, 4) xyxy pixel edges in the image frame.
    """
    return np.array([_extent(instance) for instance in instances], dtype=np.float64).reshape(-1, 4)


def check_tiles(tile: int | None, overlap: int) -> None:
    """Whether tiles of a side can overlap by so much.

    Raises:
        WesamError: if `overlap` is not in [0, tile).
    """
    if tile is not None and not 0 <= overlap < tile:
        raise WesamError(f"overlap: expected 0 <= overlap < tile = {tile}, got {overlap}")


def tile_crops(width: int, height: int, tile: int | None, overlap: int) -> list[Crop]:
    """Overlapping tiles that cover an image, row by row.

    Args:
        width, height: size of the image.
        tile: side of a tile in pixels; None for no tiles.
        overlap: least number of pixels that neighbouring tiles share.

    Returns:
        crops ``(x0, y0, x1, y1)``; none where one tile would hold the whole image.

    Raises:
        WesamError: if `overlap` is not in [0, tile).
    """
    check_tiles(tile, overlap)
    if tile is None or (width <= tile and height <= tile):
        return []
    return [
        (x, y, min(x + tile, width), min(y + tile, height))
        for y in _starts(height, tile, overlap)
        for x in _starts(width, tile, overlap)
    ]


def plan_crops(
    width: int, height: int, boxes: NDArray[np.float64], tile: int | None, overlap: int
) -> list[tuple[Crop, list[int]]]:
    """Shares the objects of an image out among overlapping tiles.

    Each object goes to the tile that holds all of it, to the best centred one where several do; an object up
    to `overlap` pixels wide and high always finds one. What no tile holds goes to one crop of the whole image.
    Tiles without objects are left out.

    Args:
        width, height: size of the image.
        boxes: (N, 4) extent of each object, in the image frame.
        tile: side of a tile in pixels; None, or no shorter than the image's sides: only the whole image.
        overlap: least number of pixels that neighbouring tiles share.

    Returns:
        crops ``(x0, y0, x1, y1)`` with the indices of their objects: tiles row by row, then the whole image.
        Every index appears exactly once.

    Raises:
        WesamError: if `overlap` is not in [0, tile).
    """
    whole = (0, 0, width, height)
    crops = tile_crops(width, height, tile, overlap)
    if not len(boxes):
        return []
    if not crops:
        return [(whole, list(range(len(boxes))))]

    tiles = np.array(crops)
    limits = (width, height, width, height)
    shares: dict[int, list[int]] = {}
    for index, box in enumerate(np.clip(boxes, 0, limits)):
        holds = (tiles[:, :2] <= box[:2]).all(1) & (box[2:] <= tiles[:, 2:]).all(1)
        off_centre = np.abs(tiles[:, :2] + tiles[:, 2:] - box[:2] - box[2:]).max(1)
        best = int(np.where(holds, off_centre, np.inf).argmin()) if holds.any() else len(tiles)
        shares.setdefault(best, []).append(index)
    crops.append(whole)
    return [(crops[number], shares[number]) for number in sorted(shares)]


def is_cut_off(mask: Rle, crop: Crop, size: tuple[int, int]) -> bool:
    """Whether a mask of one crop ends at a side of it that is not one of the image (width, height) as well."""
    sides = np.array(crop)
    inner = sides != (0, 0, *size)
    return bool(((np.array(mask_box(mask)) == sides) & inner).any())


def _starts(side: int, tile: int, overlap: int) -> list[int]:
    """Where tiles begin along one side; the last one ends with the image."""
    if side <= tile:
        return [0]
    return [*range(0, side - tile, tile - overlap), side - tile]


def _extent(instance: Instance) -> tuple[float, float, float, float]:
    if instance.box is not None:
        return instance.box
    if instance.rle is not None:
        return mask_box(instance.rle)
    positive = [(x, y) for x, y, label in instance.points if label == FOREGROUND]
    xs, ys = zip(*(positive or [(x, y) for x, y, _ in instance.points]), strict=True)
    return min(xs), min(ys), max(xs) + 1, max(ys) + 1
