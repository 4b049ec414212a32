"""Overlap of binary masks, and the loss that keeps the network's own estimate of it honest."""

from __future__ import annotations

from torch import Tensor

from wesam.losses.shapes import check_masks


def mask_iou(first: Tensor, second: Tensor, weight: Tensor | None = None) -> Tensor:
    """Intersection over union of each pair of masks.

    Args:
        first, second: binary masks, (N, H, W), bool or in {0, 1}.
        weight: (N, H, W) weights of the pixels, at least 0 (0 leaves padding out); None weighs all alike.

    Returns:
        (N,) IoU in [0, 1]. Two empty masks score 0: a prompt names an object, so an empty mask is never
        right, and a network that falls silent must not count as one that agrees.

    Raises:
        ValueError: if the shapes differ.
    """
    check_masks(first, second, weight)
    a, b = first.bool(), second.bool()
    intersection, union = (a & b).float(), (a | b).float()
    if weight is not None:
        intersection, union = intersection * weight, union * weight
    area = union.sum((1, 2))
    return (intersection.sum((1, 2)) / area.where(area > 0, area.new_ones(()))).detach()


def iou_head_loss(iou: Tensor, logits: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Squared error of the predicted IoU against IoU(1[logits > 0], target), a constant.

    Args:
        iou: (N,) predicted IoU.
        logits: mask logits, (N, H, W); they get no gradient.
        target: binary masks, (N, H, W), in {0, 1}.
        weight: (N, H, W) weights of the pixels; None weighs all alike.

    Returns:
        (N,) losses, at least 0.

    Raises:
        ValueError: if the shapes differ.
    """
    if iou.shape != logits.shape[:1]:
        raise ValueError(f"expected iou (N,) for logits (N, H, W), got {tuple(iou.shape)}, {tuple(logits.shape)}")
    return (iou.float() - mask_iou(logits > 0, target, weight)) ** 2
