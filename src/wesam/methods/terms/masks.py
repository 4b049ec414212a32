"""SAM's own losses against true masks (Kirillov et al. 2023, arXiv 2304.02643, appendix A)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from wesam.batches.batch import Batch
from wesam.losses.dice import dice_loss
from wesam.losses.focal import focal_loss
from wesam.losses.iou import iou_head_loss
from wesam.methods.branches import Branches
from wesam.types import MaskPrediction

Part = Literal["focal", "dice", "iou"]


def masks(branches: Branches, batch: Batch, part: Part, alpha: float) -> Tensor:
    """(N,) one part of the loss, mean over the weak and the strong view; 0 for objects whose mask is not known.

    Raises:
        ValueError: if the batch carries no masks.
    """
    if batch.masks is None:
        raise ValueError("expected a batch with masks, got one without")
    known = branches.known
    if not known.any():  # no view is looked at for nothing
        return known.float()
    truth = torch.where(known[:, None, None], batch.masks, 0)
    loss = _LOSSES[part]
    views = (branches.student_weak, branches.student_strong)
    return known * 0.5 * sum(loss(view, truth, branches.weight, alpha) for view in views)


def _focal(answer: MaskPrediction, truth: Tensor, weight: Tensor | None, alpha: float) -> Tensor:
    return focal_loss(answer.logits, truth, weight, alpha)


def _dice(answer: MaskPrediction, truth: Tensor, weight: Tensor | None, alpha: float) -> Tensor:
    return dice_loss(answer.logits, truth, weight)


def _iou(answer: MaskPrediction, truth: Tensor, weight: Tensor | None, alpha: float) -> Tensor:
    return iou_head_loss(answer.iou, answer.logits, truth > 0.5, weight)


_LOSSES: dict[Part, Callable[[MaskPrediction, Tensor, Tensor | None, float], Tensor]] = {
    "focal": _focal,
    "dice": _dice,
    "iou": _iou,
}
