"""Prompt the teacher strongly, teach the student weakly.

The teacher answers the label's prompt, say a box. The student, on the strong view, is asked once more with a weaker
prompt drawn from the teacher's mask, say a click, and is to answer with the same mask. So labels of one kind teach all
kinds of prompts that will be used.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from wesam.batches.batch import Batch
from wesam.losses.focal import focal_loss
from wesam.methods.branches import Branches
from wesam.prompts.from_mask import coarse_masks, corrective_clicks, jittered_boxes, random_clicks
from wesam.types import Prompts

StudentPrompt = Literal["clicks", "corrective", "box", "mask"]


def student_prompt(
    branches: Branches, batch: Batch, kinds: tuple[StudentPrompt, ...], scale: float, alpha: float
) -> Tensor:
    """(N,) `scale` times the focal loss of the student's answer to a weaker prompt; 0 where the target is empty.

    Args:
        branches: the target is `Branches.target`.
        batch: N prompts.
        kinds: of weaker prompts; each step draws one of them.
        scale, alpha: as for the other focal losses.
    """
    target = branches.target
    kind = kinds[int(torch.randint(0, len(kinds), ()))] if len(kinds) > 1 else kinds[0]
    prompts = weaker_prompts(kind, branches, batch, target)
    answer = branches.segmenter.decode(branches.features_strong, prompts, batch.image_index)
    loss = focal_loss(answer.logits, target, branches.weight, alpha)
    return scale * loss * target.flatten(1).any(1)


def weaker_prompts(kind: StudentPrompt, branches: Branches, batch: Batch, target: Tensor) -> Prompts:
    """Prompts of one kind, drawn from targets (N, m, m) bool."""
    valid = batch.valid[batch.image_index]
    cell = branches.segmenter.input_size / branches.segmenter.mask_grid
    match kind:
        case "clicks":
            return random_clicks(target, valid, cell)
        case "corrective":
            return corrective_clicks(target, branches.student_strong.logits.detach() > 0, valid, cell)
        case "box":
            return jittered_boxes(target, cell)
        case "mask":
            return coarse_masks(target)
