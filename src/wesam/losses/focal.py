"""Focal loss of mask logits."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from wesam.losses.shapes import check_masks


def focal_loss(
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    alpha: float = 0.5,
    gamma: float = 2.0,
) -> Tensor:
    """Sigmoid focal loss of each instance (Lin et al. 2017, arXiv 1708.02002), mean over its pixels.

    ``alpha_t (1 - p_t)^gamma (-log p_t)`` with p_t the probability given to the true side of a pixel. For a soft target
    it is the expectation over the two sides.

    Only with alpha 1/2 does a pixel of which nobody can be sure get the answer that is the likelier one. WeSAM's 0.8
    (arXiv 2312.03502) puts it into the mask from a chance of one in five on; against pseudo-labels, which the next
    round learns from, that makes masks grow (docs/design-decisions.md).

    Args:
        logits: mask logits, (N, H, W).
        target: masks, (N, H, W), binary or soft, in [0, 1].
        weight: (N, H, W) weights of the pixels, at least 0 (0 leaves padding out); None weighs all alike.
        alpha: weight of the mask's pixels; the others get 1 - alpha.
        gamma: how much well classified pixels are played down.

    Returns:
        (N,) losses, at least 0; 0 where an instance's weights are all 0.

    Raises:
        ValueError: if the shapes differ.
    """
    check_masks(logits, target, weight)
    x, t = logits.float(), target.float()
    # 1 - p = sigmoid(-x) and -log p = softplus(-x), so neither ever loses digits.
    inside = alpha * torch.sigmoid(-x) ** gamma * F.softplus(-x)
    outside = (1.0 - alpha) * torch.sigmoid(x) ** gamma * F.softplus(x)
    loss = t * inside + (1 - t) * outside
    if weight is None:
        return loss.mean((1, 2))
    total = weight.sum((1, 2))
    # Where nothing has weight the numerator is 0 too, and any divisor but 0 will do.
    return (loss * weight).sum((1, 2)) / total.where(total > 0, total.new_ones(()))
