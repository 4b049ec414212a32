"""A coarse mask (polygon, brush): how SAM is asked with it, and how far from its border a place lies."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from pycocotools import mask as coco_mask
from torch import Tensor

from wesam.masks import mask_box, mask_window
from wesam.types import FOREGROUND, Instance


@dataclass(frozen=True)
class MaskFeeding:
    """Which prompts a coarse mask becomes. The defaults are what a study of four families found best
    (docs/design-decisions.md).

    Attributes:
        logits: whether it is given as SAM's mask prompt. That prompt is the low-resolution logits of an earlier
            prediction; a label has none, so it is given those of a sure one (as micro-sam does, Archit et al. 2025).
        box: whether its box is given too, where the label has no box of its own.
        centre: whether the pixel deepest inside it is given as a click, where the label has no clicks of its own.
        magnitude: logit of a cell that is wholly inside; its negative outside, linear in the share between.
        softness: standard deviation of the Gaussian that blurs the border, in cells of the mask grid.

    Raises:
        ValueError: if nothing would be given, or a number is out of its range.
    """

    logits: bool = True
    box: bool = True
    centre: bool = False
    magnitude: float = 6.0
    softness: float = 0.0

    def __post_init__(self) -> None:
        if not (self.logits or self.box or self.centre):
            raise ValueError("expected logits, box or centre, got none of them")
        if self.magnitude <= 0 or self.softness < 0:
            raise ValueError(
                f"expected magnitude > 0 and softness >= 0, got magnitude={self.magnitude}, softness={self.softness}"
            )


def with_derived_labels(instance: Instance, feeding: MaskFeeding) -> Instance:
    """The instance with the box and the click that its mask is to be given as; labels of its own go first."""
    if instance.rle is None or not coco_mask.area(instance.rle):
        return instance
    if feeding.box and instance.box is None:
        instance = replace(instance, box=mask_box(instance.rle))
    if feeding.centre and not instance.points:
        instance = replace(instance, points=(deepest_point(instance.mask()),))
    return instance


def deepest_point(mask: np.ndarray) -> tuple[float, float, int]:
    """The pixel of a mask (H, W) bool that is farthest from its border: ``(x, y, 1)``.

    Raises:
        ValueError: if the mask is empty.
    """
    window = mask_window(mask)
    if window is None:
        raise ValueError("expected a mask that is not empty, got an empty one")
    top, left = (side.start for side in window)
    own = np.pad(mask[window], 1).astype(np.uint8)
    depth = cv2.distanceTransform(own, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    y, x = np.unravel_index(depth.argmax(), depth.shape)
    return float(x + left), float(y + top), FOREGROUND


def visible_cover(cover: Tensor) -> Tensor:
    """The share of each cell that a mask covers, (m, m), scaled so that its fullest cell counts as covered.

    An object smaller than a cell, or a thin one, covers no cell by half: SAM would be told that nothing is there.
    So it is drawn as fine as the grid allows.
    """
    return cover / cover.max().clamp_min(torch.finfo(cover.dtype).tiny)


def cover_logits(cover: Tensor, feeding: MaskFeeding) -> Tensor:
    """SAM's mask prompt for one object: (m, m) logits from the share of each cell that its mask covers."""
    if feeding.softness:
        blurred = cv2.GaussianBlur(cover.numpy(), (0, 0), feeding.softness, borderType=cv2.BORDER_REPLICATE)
        cover = torch.from_numpy(blurred)
    return feeding.magnitude * (2 * visible_cover(cover) - 1)


def signed_distance(cover: Tensor) -> Tensor:
    """How deep inside a mask, or how far outside, each cell of the grid lies.

    Args:
        cover: (m, m) share of each cell that the mask covers.

    Returns:
        (m, m) float32 distance of the cell's centre to the mask's border in cells, positive inside and negative
        outside, to within half a cell; NaN everywhere if the mask covers nothing.
    """
    inside = (visible_cover(cover) >= 0.5).numpy().astype(np.uint8)
    if not inside.any():
        return torch.full_like(cover, torch.nan)
    if inside.all():  # no border in sight
        return torch.full_like(cover, float(len(cover)))
    depth, height = (cv2.distanceTransform(side, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) for side in (inside, 1 - inside))
    return torch.from_numpy(np.where(inside, depth - 0.5, 0.5 - height).astype(np.float32))
