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
        kinds: of weaker prompts; one of them is drawn for each image and step.
        scale, alpha: as for the other focal losses.
    """
    target = branches.target
    prompts = weaker_prompts(kinds, branches, batch, target)
    answer = branches.segmenter.decode(branches.features_strong, prompts, batch.image_index)
    loss = focal_loss(answer.logits, target, branches.target_weight, alpha)
    return scale * loss * branches.trust * target.flatten(1).any(1)


def weaker_prompts(kinds: tuple[StudentPrompt, ...], branches: Branches, batch: Batch, target: Tensor) -> Prompts:
    """Prompts drawn from targets (N, m, m) bool, image by image, so that a batch in parts draws the same."""
    cell = branches.segmenter.input_size / branches.segmenter.mask_grid
    drawn = []
    for rows, generator, valid in zip(batch.rows, batch.generators(), batch.valid, strict=True):
        masks = target[rows]
        match kinds[int(torch.randint(len(kinds), (), generator=generator))]:
            case "clicks":
                drawn.append(random_clicks(masks, valid.expand_as(masks), cell, generator))
            case "corrective":
                answers = branches.student_strong.logits[rows].detach() > 0
                drawn.append(corrective_clicks(masks, answers, valid.expand_as(masks), cell, generator))
            case "box":
                drawn.append(jittered_boxes(masks, cell, generator))
            case "mask":
                drawn.append(coarse_masks(masks))
    return Prompts.cat(drawn)
