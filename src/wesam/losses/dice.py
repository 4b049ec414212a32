"""Soft Dice loss."""

from __future__ import annotations

import torch
from torch import Tensor

from wesam.losses.shapes import check_masks


def dice_loss(logits: Tensor, target: Tensor, weight: Tensor | None = None, eps: float = 1.0) -> Tensor:
    """Soft Dice loss of each instance (Milletari et al. 2016, arXiv 1606.04797).

    ``1 - (2 sum p m + eps) / (sum p + sum m + eps)`` with p = sigmoid(logits). For a soft target min(p, m) takes the
    place of p m, which is the same for a binary one: else the loss would be least at a binary answer (Wang et al.
    2023, "Dice Semimetric Losses", arXiv 2303.16296).

    Args:
        logits: mask logits, (N, H, W).
        target: masks, (N, H, W), binary or soft, in [0, 1].
        weight: (N, H, W) weights of the pixels, at least 0 (0 leaves padding out); None weighs all alike.
        eps: smoothing in pixels; two empty masks have loss 0.

    Returns:
        (N,) losses in [0, 1]; 0 is perfect overlap.

    Raises:
        ValueError: if the shapes differ.
    """
    check_masks(logits, target, weight)
    p = logits.float().sigmoid()
    m = target.float()
    overlap = torch.minimum(p, m)
    total = p + m
    if weight is not None:
        overlap = overlap * weight
        total = total * weight
    return 1 - (2 * overlap.sum((1, 2)) + eps) / (total.sum((1, 2)) + eps)
