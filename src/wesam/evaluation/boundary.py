"""How well the outlines of masks agree: what IoU hardly sees on large objects."""

from __future__ import annotations

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from wesam.evaluation.metrics import mask_overlap
from wesam.masks import Rle, encode_mask, mask_box

#: Width of the band along an outline, as a fraction of the image's diagonal (Cheng et al. 2021).
BAND = 0.02


def boundary_iou(predicted: Rle, true: Rle, band: float = BAND) -> float:
    """Boundary IoU (Cheng et al. 2021, arXiv 2103.16562): the IoU of the inner bands of two masks.

    On objects thinner than two bands it is the plain IoU.

    Args:
        predicted, true: masks of one image.
        band: width of the bands as a fraction of the image's diagonal; at least a pixel.

    Returns:
        In [0, 1]; two empty masks agree fully.

    Raises:
        ValueError: if the two masks are not of one height and width.
    """
    height, width = true["size"]
    pixels = max(1, round(band * float(np.hypot(height, width))))
    return mask_overlap(inner_band(predicted, pixels), inner_band(true, pixels)).iou


def inner_band(rle: Rle, pixels: int) -> Rle:
    """The pixels of a mask that lie within some pixels (in chessboard distance) of one outside of it.

    What lies beyond the image is outside.
    """
    if not coco_mask.area(rle):
        return rle
    x0, y0, x1, y1 = (int(edge) for edge in mask_box(rle))
    own = np.pad(coco_mask.decode(rle)[y0:y1, x0:x1], 1)
    depth = cv2.distanceTransform(own, cv2.DIST_C, 3)[1:-1, 1:-1]
    return encode_mask((depth > 0) & (depth <= pixels), tuple(rle["size"]), corner=(x0, y0))
