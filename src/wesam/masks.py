"""Masks as COCO run-length encodings: four hundred of a 12-megapixel image take kilobytes, as pixels 4.8 GB.

They are decoded one at a time, and of a decoded one no more than the object's own rows and columns is worked on.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

Rle: TypeAlias = dict[str, Any]  # {"size": [height, width], "counts": bytes}


def mask_window(mask: NDArray[np.bool_]) -> tuple[slice, slice] | None:
    """The rows and the columns of a mask (H, W) from its first to its last pixel; None of an empty one."""
    columns = np.flatnonzero(mask.any(axis=0))
    if not len(columns):
        return None
    across = slice(int(columns[0]), int(columns[-1]) + 1)
    rows = np.flatnonzero(mask[:, across].any(axis=1))
    return slice(int(rows[0]), int(rows[-1]) + 1), across


def encode_mask(mask: NDArray[np.bool_], size: tuple[int, int] | None = None, corner: tuple[int, int] = (0, 0)) -> Rle:
    """A mask to COCO compressed run-length encoding.

    Args:
        mask: (h, w) bool: of the image, or of a part of it.
        size: height and width of the image; None if the mask is of all of it.
        corner: column and row of the image where the mask begins.
    """
    # pycocotools wants columns in one piece. Only the object itself is laid out anew.
    whole = np.zeros(mask.shape if size is None else size, dtype=np.uint8, order="F")
    window = mask_window(mask)
    if window is not None:
        (rows, columns), (left, top) = window, corner
        whole[top + rows.start : top + rows.stop, left + columns.start : left + columns.stop] = mask[window]
    encoded: Rle = coco_mask.encode(whole)
    return encoded


def mask_box(rle: Rle) -> tuple[float, float, float, float]:
    """The smallest box that holds a mask, ``(x0, y0, x1, y1)`` pixel edges; all 0 of an empty one."""
    x, y, width, height = (float(value) for value in coco_mask.toBbox(rle))
    return x, y, x + width, y + height
