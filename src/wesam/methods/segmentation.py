"""What objectives share: both looks through the network at once, and SAM's own mask losses."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from wesam.batches.batch import Batch
from wesam.losses.dice import dice_loss
from wesam.losses.focal import focal_loss
from wesam.losses.iou import iou_head_loss
from wesam.losses.reduce import image_mean
from wesam.models.features import Features
from wesam.models.segmenter import Segmenter
from wesam.types import MaskPrediction, Prompts

PAPER_FOCAL_ALPHA = 0.8  # WeSAM's public code
FOCAL_WEIGHT = 20.0  # SAM's own ratio of focal to Dice loss (arXiv 2304.02643, appendix A), and WeSAM's


@dataclass(frozen=True)
class TwoLooks:
    """The network's answer to both looks of a batch.

    Attributes:
        weak_features: of the B images.
        weak, strong: what the decoder answers to the N prompts on either look.
    """

    weak_features: Features
    weak: MaskPrediction
    strong: MaskPrediction


def predict_both(segmenter: Segmenter, batch: Batch) -> TwoLooks:
    """Weak and strong look in one pass of the encoder, and all their prompts in one call of the decoder."""
    images, prompts = len(batch), len(batch.prompts)
    features = segmenter.encode(torch.cat([batch.weak, batch.strong]))
    answer = segmenter.decode(
        features,
        Prompts.cat([batch.prompts, batch.prompts]),
        torch.cat([batch.image_index, batch.image_index + images]),
    )
    return TwoLooks(features[:images], answer[:prompts], answer[prompts:])


def pixel_weight(batch: Batch, ignore_padding: bool) -> Tensor | None:
    """(N, m, m) weights that leave padding out of the mask losses, or None to count every cell."""
    return batch.valid[batch.image_index] if ignore_padding else None


def mask_losses(
    prediction: MaskPrediction,
    target: Tensor,
    weight: Tensor | None,
    image_index: Tensor,
    images: int,
    focal_alpha: float,
    certainty: Tensor | None = None,
    trust: Tensor | None = None,
) -> dict[str, Tensor]:
    """The three parts of SAM's loss against masks (N, m, m): scalars "focal", "dice" and "iou".

    Args:
        prediction: N answers.
        target: (N, m, m) masks, binary or soft; the predicted IoU is compared with that of the mask cut at 1/2.
        weight: as of `pixel_weight`.
        image_index, images: as of `losses.reduce.image_mean`.
        focal_alpha: weight of the mask's pixels in "focal", as of `losses.focal.focal_loss`.
        certainty: (N, m, m) further weights in [0, 1] of the pixels in "focal" and "dice"; None: 1.
        trust: (N,) factors in [0, 1] of the instances' losses; None: 1.
    """
    believed = weight if certainty is None else certainty if weight is None else weight * certainty
    per_instance = {
        "focal": focal_loss(prediction.logits, target, believed, focal_alpha),
        "dice": dice_loss(prediction.logits, target, believed),
        "iou": iou_head_loss(prediction.iou, prediction.logits, target > 0.5, weight),
    }
    if trust is not None:
        per_instance = {name: trust * loss for name, loss in per_instance.items()}
    return {name: image_mean(loss, image_index, images) for name, loss in per_instance.items()}


def named(total: Tensor, parts: dict[str, Tensor]) -> dict[str, Tensor]:
    """The dictionary that `Objective.forward` returns: only "total" keeps its graph."""
    return {"total": total, **{name: part.detach() for name, part in parts.items()}}
