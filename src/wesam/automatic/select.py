"""Which candidates become prompts: sure and stable ones, each object once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from wesam.automatic.nms import box_nms, mask_nms
from wesam.frames.geometry import Geometry
from wesam.models.inference import full_size_masks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from wesam.automatic.candidates import Candidates
    from wesam.automatic.settings import AutomaticSettings
    from wesam.models.segmenter import Segmenter


# Share of the image that the box of a mask covers at least if the mask reaches around the image.
_AROUND = 0.9


@dataclass(frozen=True)
class Thresholds:
    """Least predicted IoU and least stability score of a prompt."""

    iou: float
    stability: float


@dataclass(frozen=True)
class FoundMask:
    """A mask that survived.

    Attributes:
        rle: on the whole image, COCO compressed run-length encoding; not empty.
        box: the smallest around the mask, xyxy pixel edges.
        point: (x, y) of the pixel of the mask that is farthest from its border.
        iou: as the network predicts it.
        stability: its stability score.
    """

    rle: dict[str, Any]
    box: tuple[float, float, float, float]
    point: tuple[float, float]
    iou: float
    stability: float


def choose_thresholds(images: Iterable[Candidates], settings: AutomaticSettings) -> Thresholds:
    """The thresholds of an image set: fixed ones as they are, others as quantiles over all of its candidates.

    The quantile of the stability score is one of the candidates that pass the first threshold. Candidates of a size
    that no prompt may have do not count.
    """
    nothing = np.zeros((2, 0), dtype=np.float32)
    scores = [np.stack([image.iou, image.stability])[:, sized(image, settings)] for image in images]
    iou, stability = np.concatenate([nothing, *scores], axis=1)
    least_iou = _threshold(iou, settings.iou_threshold, settings.iou_quantile)
    stable = stability[iou >= least_iou]
    return Thresholds(least_iou, _threshold(stable, settings.stability_threshold, settings.stability_quantile))


def select_masks(
    candidates: Candidates,
    thresholds: Thresholds,
    settings: AutomaticSettings,
    segmenter: Segmenter,
    size: tuple[int, int],
) -> list[FoundMask]:
    """The masks of one image that become prompts, those of the highest predicted IoU first.

    Low predicted IoU goes first, then low stability, then what overlaps a better mask: by boxes, as the candidates have
    them, and then by masks at full size (Kirillov et al. 2023, arXiv 2304.02643, appendix B).

    Args:
        candidates: of the image.
        thresholds: of the image set.
        segmenter: that gave the candidates.
        size: height and width of the image.
    """
    sure = (candidates.iou >= thresholds.iou) & (candidates.stability >= thresholds.stability)
    left = np.flatnonzero(sized(candidates, settings) & sure)
    if settings.box_nms is not None:
        left = left[box_nms(candidates.boxes[left], candidates.iou[left], settings.box_nms)]
    masks = _full_size(candidates, left, segmenter, size)
    left = np.array([index for index in left.tolist() if index in masks], dtype=np.int64)
    if settings.mask_nms is not None:
        left = left[mask_nms([masks[index] for index in left.tolist()], candidates.iou[left], settings.mask_nms)]
    left = left[np.argsort(-candidates.iou[left], kind="stable")]
    return [
        _found(masks[index], float(candidates.iou[index]), float(candidates.stability[index]))
        for index in left.tolist()
    ]


def sized(candidates: Candidates, settings: AutomaticSettings) -> NDArray[np.bool_]:
    """(N,) which candidates are neither too small nor, by what they cover, the background."""
    x0, y0, x1, y1 = candidates.crops[0]  # the whole image
    sides = candidates.boxes[:, 2:] - candidates.boxes[:, :2]
    around = sides.prod(1) > _AROUND * float((x1 - x0) * (y1 - y0))
    most = np.where(around, min(settings.max_around, settings.max_area), settings.max_area)
    return np.asarray((candidates.cells >= settings.min_cells) & (candidates.share <= most))


def _threshold(scores: NDArray[np.float32], fixed: float | None, quantile: float) -> float:
    if fixed is not None:
        return fixed
    return float(np.quantile(scores, quantile)) if len(scores) else 0.0


def _full_size(
    candidates: Candidates, indices: NDArray[np.int64], segmenter: Segmenter, size: tuple[int, int]
) -> dict[int, dict[str, Any]]:
    """The masks that have a pixel at full size, by index. The logits of one view are held at a time."""
    masks: dict[int, dict[str, Any]] = {}
    for view in np.unique(candidates.view[indices]):
        members = indices[candidates.view[indices] == view]
        x0, y0, x1, y1 = candidates.crops[view].tolist()
        geometry = Geometry((x0, y0, x1, y1), segmenter.input)
        encoded = full_size_masks(candidates.mask_logits(members, segmenter.mask_grid), geometry, size)
        masks.update((index, rle) for index, rle in zip(members.tolist(), encoded, strict=True) if coco_mask.area(rle))
    return masks


def _found(rle: dict[str, Any], iou: float, stability: float) -> FoundMask:
    x, y, width, height = (int(value) for value in coco_mask.toBbox(rle))
    inside = coco_mask.decode(rle)[y : y + height, x : x + width]
    # Beyond the mask's box, also where that is the image's border, nothing is inside.
    depth = cv2.distanceTransform(np.pad(inside, 1), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    row, column = np.unravel_index(depth.argmax(), depth.shape)
    box = (float(x), float(y), float(x + width), float(y + height))
    return FoundMask(rle, box, (float(x + column), float(y + row)), iou, stability)
