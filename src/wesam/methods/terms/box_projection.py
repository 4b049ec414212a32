"""The student's mask fills the label's box and no more (BoxInst, Tian et al. 2021, arXiv 2012.02310)."""

from __future__ import annotations

from torch import Tensor

from wesam.batches.batch import Batch
from wesam.losses.projection import projection_loss
from wesam.methods.branches import Branches


def box_projection(branches: Branches, batch: Batch) -> Tensor:
    """(N,) projection loss on the strong view; 0 for labels without a box."""
    logits = branches.student_strong.logits
    if batch.prompts.boxes is None:
        return logits.new_zeros(len(logits))
    segmenter = branches.segmenter
    return projection_loss(logits, batch.prompts.boxes * (segmenter.mask_grid / segmenter.input_size))
