"""The details of the losses in which this package and the paper differ, each as a whole: one switch chooses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from wesam.methods.mask_choice import MaskChoice
from wesam.methods.trust import TrustSignal

FOCAL_WEIGHT = 20.0  # SAM's own ratio of focal to Dice loss (arXiv 2304.02643, appendix A), and WeSAM's


@dataclass(frozen=True)
class Formulation:
    """What the losses are made of; the evidence for each is in docs/design-decisions.md.

    Attributes:
        focal_alpha: weight of a mask's pixels in the focal loss, the others get 1 - alpha.
        dice: weight of the Dice loss within L_st.
        iou: weight of the predicted IoU's error within L_st.
        anchor_distance: what measures the distance to the source model's masks.
        mask_choice: which of the decoder's masks teacher and anchor give: the single-mask output, or, of that and the
            multimask outputs, the one that fits the label best.
        ignore_padding: mask losses and pooled features leave out what lies beside the image.
        background: the background is an entry of L_con of its own, so that an image with one object has a negative.
        cross_image_negatives: objects of the batch's other images are negatives of L_con too.
        clicks_ask_again: of objects that have nothing but clicks, the box of the teacher's mask asks the teacher once
            more, and cells that are unsure, or that two objects claim, are not learned from (ReSAM).
        trust: by which signals objects are weighed in L_st and L_prompt (`methods.trust`); none: all count alike.
    """

    focal_alpha: float
    dice: float
    iou: float
    anchor_distance: Literal["focal", "dice"]
    mask_choice: MaskChoice
    ignore_padding: bool
    background: bool
    cross_image_negatives: bool
    clicks_ask_again: bool = False
    trust: tuple[TrustSignal, ...] = ()


OURS = Formulation(
    focal_alpha=0.5,
    dice=0.0,
    iou=0.0,
    anchor_distance="focal",
    mask_choice="label",
    ignore_padding=True,
    background=True,
    cross_image_negatives=True,
)

#: As published (arXiv 2312.03502) and in its public code.
PAPER = Formulation(
    focal_alpha=0.8,
    dice=1.0,
    iou=1.0,
    anchor_distance="dice",
    mask_choice="single",
    ignore_padding=False,
    background=False,
    cross_image_negatives=False,
)
