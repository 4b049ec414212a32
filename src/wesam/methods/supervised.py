"""The upper bound: the same loop, views and losses, taught by ground-truth masks."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from wesam.batches.batch import Batch
from wesam.methods.base import Objective
from wesam.methods.segmentation import (
    FOCAL_WEIGHT,
    PAPER_FOCAL_ALPHA,
    mask_losses,
    named,
    pixel_weight,
    predict_both,
)
from wesam.models.segmenter import Segmenter
from wesam.types import MaskPrediction


class SupervisedSettings(BaseModel):
    """What is learned from masks."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Literal["supervised"] = "supervised"

    focal_weight: float = Field(
        default=FOCAL_WEIGHT, ge=0, description="of the focal loss; SAM's and the paper's ratio: 20"
    )
    focal_alpha: float = Field(
        default=PAPER_FOCAL_ALPHA, gt=0, lt=1, description="weight of a mask's pixels in the focal loss; paper: 0.8"
    )
    ignore_padding: bool = Field(
        default=True,
        description="mask losses leave out what lies beside the image, as `wesam` does; paper: no",
    )


class SupervisedObjective(Objective):
    """``L = 20 focal + dice + mse_iou`` against the ground truth, mean over the weak and the strong look.

    Both looks, as in the method it bounds: there too each step sends gradients through both. And the weak
    look is the one that resembles the images of the test.
    """

    needs_masks = True

    def __init__(self, segmenter: Segmenter, settings: SupervisedSettings) -> None:
        super().__init__(segmenter)
        self.settings = settings

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """See `Objective.forward`. Returns "total" and its unweighted parts "focal", "dice" and "iou".

        Raises:
            ValueError: if the batch carries no masks.
        """
        if batch.masks is None:
            raise ValueError("expected a batch with masks, got one without")
        weight = pixel_weight(batch, self.settings.ignore_padding)
        looks = predict_both(self.segmenter, batch)
        # Each look counts as an image of its own, so the mean over images is the mean over looks as well.
        parts = mask_losses(
            MaskPrediction(
                torch.cat([looks.weak.logits, looks.strong.logits]),
                torch.cat([looks.weak.iou, looks.strong.iou]),
            ),
            torch.cat([batch.masks, batch.masks]),
            None if weight is None else torch.cat([weight, weight]),
            torch.cat([batch.image_index, batch.image_index + len(batch)]),
            2 * len(batch),
            self.settings.focal_alpha,
        )
        return named(self.settings.focal_weight * parts["focal"] + parts["dice"] + parts["iou"], parts)
