"""How far a teacher's mask is to be trusted, without a true one: whether other prompts lead back to it."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from wesam.batches.batch import Batch
from wesam.losses.iou import mask_iou
from wesam.methods.branches import Branches
from wesam.methods.terms.student_prompt import weaker_prompts
from wesam.models.features import Features

#: IoU of a mask with that of its own box, drawn sloppily; with that of clicks on and off it; the IoU that is predicted.
TrustSignal = Literal["box", "clicks", "predicted_iou"]


def trust(
    signals: tuple[TrustSignal, ...], branches: Branches, features: Features, batch: Batch, masks: Tensor
) -> Tensor | None:
    """(N,) in [0, 1], the mean of the signals; None where there are none, and all objects count alike.

    To be called while the teacher's weights are in place.

    Args:
        signals: to look at.
        branches: whose segmenter is asked.
        features: the teacher's, of the weak view.
        batch: N prompts.
        masks: (N, m, m) bool, the teacher's.
    """
    found = []
    for signal in signals:
        prompts = batch.prompts if signal == "predicted_iou" else weaker_prompts((signal,), branches, batch, masks)
        answer = branches.segmenter.decode(features, prompts, batch.image_index)
        if signal == "predicted_iou":
            found.append(answer.iou.clamp(0, 1))
        else:
            found.append(mask_iou(masks, answer.logits > 0, branches.weight))
    return torch.stack(found).mean(0) if found else None
