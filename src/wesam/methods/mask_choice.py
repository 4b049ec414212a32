"""A prompt may mean a part, the whole, or what both belong to: which of SAM's answers fits the label."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from wesam.methods.sampling import values_at
from wesam.models.features import Features
from wesam.models.segmenter import Segmenter
from wesam.types import FOREGROUND, NOT_A_POINT, Prompts

MaskChoice = Literal["single", "label"]

# Answers that mean the same differ by a cell here and there; the single-mask output is left only for a better fit.
_MARGIN = 0.05


def consistent_logits(
    segmenter: Segmenter,
    features: Features,
    prompts: Prompts,
    image_index: Tensor,
    outlines: Tensor | None,
) -> Tensor:
    """Of SAM's 3 + 1 answers (Kirillov et al. 2023, arXiv 2304.02643) the one that fits each label best.

    Where no other fits clearly better (`consistency` higher by more than 0.05) the single-mask output stays. So it does
    for prompts with a mask: they leave no doubt which object is meant, and SAM is not trained to give several answers
    to them. Nothing here has gradients.

    Args:
        segmenter, features, prompts, image_index: what is decoded, once for all answers, as for `Segmenter.decode`.
        outlines: (N, m, m) as in `Batch`; None if no label has a mask.

    Returns:
        (N, m, m) mask logits.
    """
    with torch.no_grad():
        answers = segmenter.decode_every(features, prompts, image_index).logits
        fit = consistency(answers > 0, prompts, outlines, segmenter.input_size)
        fit[:, 0] += _MARGIN
        if prompts.masks is not None:
            fit[~prompts.masks[:, 0, 0].isnan(), 0] = torch.inf
        return answers[torch.arange(len(answers), device=answers.device), fit.argmax(1)]


def consistency(masks: Tensor, prompts: Prompts, outlines: Tensor | None, input_size: int) -> Tensor:
    """How well masks agree with the labels of their objects: the sum over the label's parts, each in [0, 1].

    A box agrees by its IoU with the mask's own box, points by the share that lies where it should, an outline by its
    IoU with the mask.

    Args:
        masks: (N, K, m, m) bool, K candidates for each object.
        prompts: N prompts in the input frame.
        outlines: (N, m, m) signed distances as in `Batch`; None if no label has a mask.
        input_size: side of the input frame, in pixels.

    Returns:
        (N, K).
    """
    total = torch.zeros(masks.shape[:2], device=masks.device)
    if prompts.boxes is not None:
        boxes = prompts.boxes * (masks.shape[3] / input_size)
        total = total + _box_iou(_tight_boxes(masks), boxes[:, None].float()).nan_to_num(0)
    if prompts.points is not None and prompts.point_labels is not None:
        labels = prompts.point_labels[:, None]  # (N, 1, P)
        every = prompts.points.repeat_interleave(masks.shape[1], 0)
        inside = values_at(masks.flatten(0, 1).float(), every, input_size, "nearest").view(*masks.shape[:2], -1) > 0.5
        right = ((inside == (labels == FOREGROUND)) & (labels != NOT_A_POINT)).sum(2)
        total = total + right / (labels != NOT_A_POINT).sum(2).clamp_min(1)
    if outlines is not None:
        inside = (outlines > 0)[:, None]
        both, either = (masks & inside).sum((2, 3)), (masks | inside).sum((2, 3))
        known = ~outlines[:, :1, :1].isnan().flatten(1)
        total = total + torch.where(known, both / either.clamp_min(1), 0.0)
    return total


def _tight_boxes(masks: Tensor) -> Tensor:
    """(N, K, 4) xyxy boxes of masks (N, K, m, m) bool in cells; empty masks have an empty box."""
    sides = []
    for occupied in (masks.any(2), masks.any(3)):
        length = occupied.shape[2]
        first = occupied.int().argmax(2)
        sides += [first, torch.where(occupied.any(2), length - occupied.flip(2).int().argmax(2), first)]
    return torch.stack([sides[0], sides[2], sides[1], sides[3]], 2).float()


def _box_iou(first: Tensor, second: Tensor) -> Tensor:
    """IoU of boxes (..., 4), broadcast; NaN where one is."""
    overlap = torch.minimum(first[..., 2:], second[..., 2:]) - torch.maximum(first[..., :2], second[..., :2])
    shared = overlap.clamp_min(0).prod(-1)
    areas = [(box[..., 2:] - box[..., :2]).prod(-1) for box in (first, second)]
    return shared / (areas[0] + areas[1] - shared)
