"""Non-maximum suppression: of many masks of one object, keep the best."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pycocotools import mask as coco_mask

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray


def box_nms(boxes: NDArray[np.float32], scores: NDArray[np.float32], limit: float) -> NDArray[np.int64]:
    """Greedy non-maximum suppression by the IoU of boxes.

    Args:
        boxes: (N, 4) xyxy pixel edges.
        scores: (N,); of equal ones the earlier is the better.
        limit: a box goes if its IoU with a better one that stays is above this.

    Returns:
        (K,) indices of those that stay, the best first.

    Raises:
        ValueError: if the lengths differ.
    """
    corners = boxes.astype(np.float64)
    areas = np.prod(corners[:, 2:] - corners[:, :2], axis=1)

    def iou(one: int, others: NDArray[np.int64]) -> NDArray[np.float64]:
        low = np.maximum(corners[one, :2], corners[others, :2])
        high = np.minimum(corners[one, 2:], corners[others, 2:])
        shared = np.prod(np.clip(high - low, 0, None), axis=1)
        union = areas[one] + areas[others] - shared
        return np.asarray(shared / np.where(union > 0, union, 1))

    return _suppress(len(boxes), scores, limit, iou)


def mask_nms(masks: Sequence[dict[str, Any]], scores: NDArray[np.float32], limit: float) -> NDArray[np.int64]:
    """Greedy non-maximum suppression by the IoU of masks.

    Args:
        masks: N COCO compressed run-length encodings of one height and width.
        scores, limit: as for `box_nms`.

    Returns:
        (K,) indices of those that stay, the best first.

    Raises:
        ValueError: if the lengths differ.
    """

    def iou(one: int, others: NDArray[np.int64]) -> NDArray[np.float64]:
        found = coco_mask.iou([masks[other] for other in others], [masks[one]], [0])
        return np.asarray(found, dtype=np.float64)[:, 0]

    return _suppress(len(masks), scores, limit, iou)


def _suppress(
    count: int,
    scores: NDArray[np.float32],
    limit: float,
    iou: Callable[[int, NDArray[np.int64]], NDArray[np.float64]],
) -> NDArray[np.int64]:
    if scores.shape != (count,):
        raise ValueError(f"expected scores ({count},), got {scores.shape}")
    left = np.argsort(-scores, kind="stable")
    kept = []
    while len(left):
        best, left = int(left[0]), left[1:]
        kept.append(best)
        if len(left):
            left = left[iou(best, left) <= limit]
    return np.array(kept, dtype=np.int64)
