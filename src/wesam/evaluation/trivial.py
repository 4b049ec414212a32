"""Masks that need no network: what a box alone already tells about the object in it.

A model that does not beat them has learnt nothing worth its cost on these images, and a user must see that.
They are always made from the object's box, also where the network is prompted with points or a mask.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Box: TypeAlias = tuple[float, float, float, float]
TrivialMask: TypeAlias = Callable[[NDArray[np.uint8], Box], NDArray[np.bool_]]

# GrabCut sees the box and this fraction of its longest side around it (at least a few pixels): enough background
# to model, and the cost does not grow with the image.
_MARGIN = 0.5
_MIN_MARGIN = 8
# Larger crops are shrunk to this side: GrabCut's cost grows faster than the pixels, its score hardly.
_MAX_SIDE = 256
_ITERATIONS = 5


def filled_box(image: NDArray[np.uint8], box: Box) -> NDArray[np.bool_]:
    """Every pixel whose centre lies in the box.

    Args:
        image: (H, W, 3) uint8 RGB; only its size is used.
        box: xyxy pixel edges in the image frame; what lies outside the image is ignored.

    Returns:
        (H, W) bool.
    """
    mask = np.zeros(image.shape[:2], dtype=bool)
    x0, y0, x1, y1 = _pixel_box(image, box)
    mask[y0:y1, x0:x1] = True
    return mask


def inscribed_ellipse(image: NDArray[np.uint8], box: Box) -> NDArray[np.bool_]:
    """Every pixel whose centre lies in the ellipse that touches the box's four sides; see `filled_box`."""
    x0, y0, x1, y1 = box
    left, top, right, bottom = _pixel_box(image, box)
    ys, xs = np.ogrid[top:bottom, left:right]
    # The unit circle of coordinates in which the box is [-1, 1] x [-1, 1].
    across = (2 * xs + 1 - x0 - x1) / (x1 - x0)
    down = (2 * ys + 1 - y0 - y1) / (y1 - y0)
    mask = np.zeros(image.shape[:2], dtype=bool)
    mask[top:bottom, left:right] = across**2 + down**2 <= 1
    return mask


def grabcut(image: NDArray[np.uint8], box: Box) -> NDArray[np.bool_]:
    """GrabCut in the box (Rother et al. 2004): colour models of inside and outside, a graph cut between.

    Deterministic: the same pixels and box give the same mask, whatever came before. Where it cannot work
    (nothing of the image lies outside the box, or it finds no object at all) the mask is the filled box.

    Args:
        image: (H, W, 3) uint8 RGB.
        box: xyxy pixel edges in the image frame.

    Returns:
        (H, W) bool, inside the box.
    """
    filled = filled_box(image, box)
    x0, y0, x1, y1 = _pixel_box(image, box)
    if x0 >= x1 or y0 >= y1:
        return filled
    height, width = image.shape[:2]
    margin = max(_MIN_MARGIN, round(_MARGIN * max(x1 - x0, y1 - y0)))
    left, top = max(0, x0 - margin), max(0, y0 - margin)
    right, bottom = min(width, x1 + margin), min(height, y1 + margin)
    crop = np.ascontiguousarray(image[top:bottom, left:right])
    labels = np.where(filled[top:bottom, left:right], cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)

    scale = min(1.0, _MAX_SIDE / max(crop.shape[:2]))
    if scale < 1:
        size = (max(1, round(crop.shape[1] * scale)), max(1, round(crop.shape[0] * scale)))
        crop = cv2.resize(crop, size, interpolation=cv2.INTER_AREA)
        labels = cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST)
    if len(np.unique(labels)) < 2:  # all inside or all outside: one of the two colour models has no pixels
        return filled

    cv2.setRNGSeed(0)  # its k-means may draw from OpenCV's global generator, depending on the release
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(crop, labels, None, *models, _ITERATIONS, cv2.GC_INIT_WITH_MASK)
    found = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    if scale < 1:
        size = (right - left, bottom - top)
        found = cv2.resize(found.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST).astype(bool)
    mask = np.zeros_like(filled)
    mask[top:bottom, left:right] = found
    mask &= filled
    return mask if mask.any() else filled


TRIVIAL_MASKS: dict[Literal["box", "ellipse", "grabcut"], TrivialMask] = {
    "box": filled_box,
    "ellipse": inscribed_ellipse,
    "grabcut": grabcut,
}


def _pixel_box(image: NDArray[np.uint8], box: Box) -> tuple[int, int, int, int]:
    """The pixels whose centres lie in the box: [x0, x1) x [y0, y1), inside the image, possibly empty."""
    height, width = image.shape[:2]
    # Pixel i has its centre at i + 1/2, so the first one inside is ceil(edge - 1/2).
    x0, y0, x1, y1 = (int(np.ceil(edge - 0.5)) for edge in box)
    x0, x1 = (min(max(x, 0), width) for x in (x0, x1))
    y0, y1 = (min(max(y, 0), height) for y in (y0, y1))
    return x0, y0, x1, y1
