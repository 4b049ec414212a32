"""How well masks agree, at the image's original resolution (Zhang et al. 2024, arXiv 2312.03502).

Masks travel as COCO run-length encodings, so four hundred masks of a 12-megapixel image take kilobytes and
their overlaps cost no pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from pycocotools import mask as coco_mask

from wesam.masks import Rle

Size: TypeAlias = Literal["small", "medium", "large"]

SIZES: tuple[Size, ...] = ("small", "medium", "large")
# COCO's bounds (Lin et al. 2014, arXiv 1405.0312) on the area of the true mask, in pixels of the original.
SMALL_BELOW = 32**2
MEDIUM_BELOW = 96**2


@dataclass(frozen=True)
class Overlap:
    """Areas, in pixels, of one predicted mask, its true mask and what they share; boundary IoU where measured."""

    predicted: int
    true: int
    shared: int
    boundary: float | None = None

    @property
    def iou(self) -> float:
        """Intersection over union in [0, 1]; two empty masks agree fully."""
        union = self.predicted + self.true - self.shared
        return self.shared / union if union else 1.0

    @property
    def dice(self) -> float:
        """Dice coefficient (the F1 score of the pixels) in [0, 1]; two empty masks agree fully."""
        total = self.predicted + self.true
        return 2 * self.shared / total if total else 1.0

    @property
    def size(self) -> Size:
        """COCO's size of the true object: small below 32 x 32 pixels, medium below 96 x 96, else large."""
        if self.true < SMALL_BELOW:
            return "small"
        return "medium" if self.true < MEDIUM_BELOW else "large"


def mask_overlap(predicted: Rle, true: Rle) -> Overlap:
    """How one predicted mask overlaps its true mask.

    Raises:
        ValueError: if the two masks are not of one height and width.
    """
    if list(predicted["size"]) != list(true["size"]):
        raise ValueError(f"expected masks of one size, got {predicted['size']} and {true['size']}")
    shared = coco_mask.merge([predicted, true], intersect=True)
    areas = coco_mask.area([predicted, true, shared])
    return Overlap(*(int(area) for area in areas))


def mean_over_images(values: Iterable[Sequence[float]]) -> float:
    """The mean over images of the mean over each image's instances, so a crowded image weighs as much as any.

    Over IoUs this is the mIoU of the paper.

    Args:
        values: one sequence an image, one value an instance. Images without instances are left out.

    Returns:
        The mean, or NaN where no image has an instance.
    """
    means = [float(np.mean(image)) for image in values if len(image)]
    return float(np.mean(means)) if means else float("nan")
