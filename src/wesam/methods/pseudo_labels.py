"""How far pseudo-labels are believed: soft instead of binary, pixel by pixel, object by object."""

from __future__ import annotations

import torch
from torch import Tensor


def soft_labels(teacher_logits: Tensor, labels: Tensor) -> Tensor:
    """The teacher's probabilities, where its word stands.

    Args:
        teacher_logits: (N, m, m).
        labels: (N, m, m) bool, 1[teacher_logits > 0] after whatever the weak label corrected; what was corrected is
            certain.

    Returns:
        (N, m, m) in [0, 1], above 1/2 exactly where `labels` is true.
    """
    corrected = labels != (teacher_logits > 0)
    return torch.where(corrected, labels.float(), teacher_logits.float().sigmoid())


def certainty(soft: Tensor) -> Tensor:
    """(N, m, m) how sure soft labels (N, m, m) are: |2 p - 1|, 0 at the outline and 1 far from it."""
    return (2 * soft - 1).abs()
