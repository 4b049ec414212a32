"""Cross-entropy on the few places that a weak label speaks of."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def partial_cross_entropy(logits: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Binary cross-entropy of each instance where something is known (point supervision: Bearman et al., ECCV 2016,
    arXiv 1506.02106).

    The mean over known places on the object and the mean over known places off it weigh half each, so that one click
    on an object is not drowned by fifty beside it; where only one side is known it weighs all.

    Args:
        logits: mask logits at K places of each of N instances, (N, K).
        target: (N, K), 1 on the object and 0 off it; any number where nothing is known.
        known: (N, K) bool.

    Returns:
        (N,) losses, at least 0; 0 where nothing is known.

    Raises:
        ValueError: if the shapes differ.
    """
    if logits.ndim != 2 or logits.shape != target.shape or logits.shape != known.shape:
        raise ValueError(
            f"expected logits, target and known (N, K), got {tuple(logits.shape)}, {tuple(target.shape)} and "
            f"{tuple(known.shape)}"
        )
    inside = target > 0.5
    loss = F.binary_cross_entropy_with_logits(logits.float(), inside.float(), reduction="none")
    on, off = known & inside, known & ~inside
    sides = [(loss * side).sum(1) / side.sum(1).clamp_min(1) for side in (on, off)]
    return (sides[0] + sides[1]) / (on.any(1).int() + off.any(1).int()).clamp_min(1)
