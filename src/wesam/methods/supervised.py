"""The upper bound: the same loop, views and losses, taught by ground-truth masks."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from wesam.batches.batch import Batch
from wesam.methods.base import Losses, Method, MethodSettings
from wesam.methods.branches import Branches
from wesam.methods.formulation import PAPER
from wesam.methods.registry import register
from wesam.methods.term import mask_terms, weighted_sum
from wesam.models.segmenter import Segmenter


class SupervisedSettings(MethodSettings):
    """What is learned from masks."""

    name: Literal["supervised"] = "supervised"

    focal_alpha: float = Field(
        default=PAPER.focal_alpha, gt=0, lt=1, description="weight of a mask's pixels in the focal loss; paper: 0.8"
    )


class Supervised(Method):
    """``L = 20 focal + dice + mse_iou`` against the ground truth, mean over the weak and the strong view.

    Both views, as in the method it bounds: there too each step sends gradients through both. And the weak
    view is the one that resembles the images of the test.
    """

    needs = "masks"
    shown = ("total", "focal", "dice")

    def __init__(self, segmenter: Segmenter, settings: SupervisedSettings) -> None:
        super().__init__(segmenter, settings)
        self.terms = mask_terms(settings.focal_alpha)

    def losses(self, batch: Batch) -> Losses:
        """See `Method.losses`: "total" and its unweighted parts "focal", "dice" and "iou".

        Raises:
            ValueError: if the batch carries no masks.
        """
        return weighted_sum(self.terms, Branches(self.segmenter, batch), batch, beside=())


register(SupervisedSettings, Supervised)
