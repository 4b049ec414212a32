"""L_st: the student on the strong view learns the teacher's masks (WeSAM, arXiv 2312.03502, section 3)."""

from __future__ import annotations

from torch import Tensor

from wesam.batches.batch import Batch
from wesam.losses.dice import dice_loss
from wesam.losses.focal import focal_loss
from wesam.losses.iou import iou_head_loss
from wesam.methods.branches import Branches


def focal(branches: Branches, batch: Batch, alpha: float) -> Tensor:
    """(N,) focal loss; `alpha` as of `losses.focal.focal_loss`."""
    loss = focal_loss(branches.student_strong.logits, branches.pseudo_labels, branches.target_weight, alpha)
    return branches.trust * loss


def dice(branches: Branches, batch: Batch) -> Tensor:
    """(N,) Dice loss. Against pseudo-labels it makes masks grow, so it is the paper's alone."""
    return branches.trust * dice_loss(branches.student_strong.logits, branches.pseudo_labels, branches.target_weight)


def iou(branches: Branches, batch: Batch) -> Tensor:
    """(N,) squared error of the predicted IoU.

    The head that predicts is frozen, so features move until it is overconfident, and masks grow with it: the paper's
    alone.
    """
    student = branches.student_strong
    return branches.trust * iou_head_loss(student.iou, student.logits, branches.pseudo_labels, branches.target_weight)
