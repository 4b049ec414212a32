"""The method: self-training, anchored and contrasted (WeSAM; CVPR 2024, arXiv 2312.03502)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from wesam.batches.batch import Batch
from wesam.losses.iou import mask_iou
from wesam.losses.reduce import image_mean
from wesam.methods.anchor import AnchorBranch
from wesam.methods.base import Losses, Method, MethodSettings
from wesam.methods.branches import Branches
from wesam.methods.ema import EmaAdapter
from wesam.methods.entries import Entries
from wesam.methods.formulation import FOCAL_WEIGHT, OURS, PAPER, Formulation
from wesam.methods.registry import register
from wesam.methods.teacher import Teacher
from wesam.methods.term import Term, weighted_sum
from wesam.methods.terms import anchor, self_training
from wesam.methods.terms.anchor import AnchorViews
from wesam.methods.terms.box_projection import box_projection
from wesam.methods.terms.contrast import contrast
from wesam.methods.terms.points import points
from wesam.methods.terms.student_prompt import StudentPrompt, student_prompt
from wesam.models.segmenter import Segmenter
from wesam.types import Sample

#: Fraction of the average that an update keeps (docs/design-decisions.md).
EMA_DECAY = 0.99

# Of what the source model said, a process: about 9 kB an object and flip for SAM; least recently used go first.
_ANCHOR_BYTES = 2**29


class WesamSettings(MethodSettings):
    """What is learned, and what from. Every ablation of the paper's losses is a setting here."""

    name: Literal["wesam"] = "wesam"

    as_published: bool = Field(
        default=False,
        description="the losses in every detail as the paper and its code have them (docs/design-decisions.md); "
        "`--preset paper` sets it and all else of the paper",
    )
    self_training_weight: float = Field(default=1.0, ge=0, description="of L_st; paper: 1")
    anchor_weight: float = Field(default=1.0, ge=0, description="of L_anchor; paper: 1")
    anchor_views: AnchorViews = Field(
        default="both",
        description="views on which the student is held to the source model; paper: both. `strong` saves a pass",
    )
    contrastive_weight: float = Field(
        default=0.0,
        ge=0,
        description="of L_con; paper: 1. Off by default: it cost 6 points on the one family of look-alike objects "
        "that was measured (docs/design-decisions.md)",
    )
    student_prompt_weight: float = Field(
        default=1.0,
        ge=0,
        description="of the student's answer to a weaker prompt, drawn from the teacher's mask; paper: 0",
    )
    student_prompts: tuple[StudentPrompt, ...] = Field(
        default=("clicks",), min_length=1, description="kinds of weaker prompts; each step draws one of them"
    )
    box_projection_weight: float = Field(
        default=0.2,
        ge=0,
        description="of BoxInst's projection loss on the student, for labels with a box (arXiv 2012.02310); paper: 0 "
        "(docs/design-decisions.md)",
    )
    point_weight: float = Field(
        default=0.0,
        ge=0,
        description="of the cross-entropy of the student at the label's points (arXiv 1506.02106); paper: 0. With 1 "
        "most domains gained up to 1.3 points and nuclei, small and touching, lost (docs/design-decisions.md)",
    )
    teacher: Literal["shared", "ema"] = Field(
        default="ema",
        description="whose masks are the pseudo-labels: those of the student's own weights (paper), or of "
        "their moving average, which holds back the drift of either (docs/design-decisions.md)",
    )


class Wesam(Method):
    """``L = w_st L_st + w_anchor L_anchor + w_con L_con + w_prompt L_prompt + w_proj L_proj + w_point L_point``.

    With y the mask logits of a view, p = sigmoid(y), t the pseudo-labels and a the source model's masks, both
    thresholded at logit 0 and constant:

    * ``L_st = 20 focal(p_strong, t) + w_dice dice(p_strong, t) + w_iou (iou_head - IoU(1[y_strong > 0], t))^2``, in the
      paper with w_dice and w_iou 1, here 0;
    * ``L_anchor = d(p_strong, a) / 2 + d(p_weak, a) / 2``, in the paper with d = dice, here 20 focal;
    * L_con: weak features pooled under t against the source model's features pooled under a;
    * ``L_prompt = 20 focal(p', t)`` with p' the student's answer, on the strong view, to a weaker prompt drawn from t
      (not in the paper);
    * L_proj, L_point: what the label's box and points say about p_strong (not in the paper).

    An object whose mask is known is taught by it (`term.mask_terms`, and as t in L_prompt), and by nothing else.

    Means are over the instances of an image first, then over images. Each is a `Term`; one of weight 0 is never
    computed, and a branch that no term reads never runs.
    """

    shown = ("total", "focal", "anchor", "student_prompt", "contrastive")

    def __init__(self, segmenter: Segmenter, settings: WesamSettings, formulation: Formulation | None = None) -> None:
        super().__init__(segmenter, settings)
        self.weights = settings
        self.formulation = formulation or (PAPER if settings.as_published else OURS)
        entries = Entries(self.formulation.background, self.formulation.ignore_padding)
        self.anchor = AnchorBranch(entries, _ANCHOR_BYTES, self.formulation.mask_choice)
        self.ema = EmaAdapter(segmenter, EMA_DECAY) if settings.teacher == "ema" else None
        self.teacher = Teacher(self.ema, self.formulation)
        self.terms = wesam_terms(settings, self.formulation, entries)

    def remarks(self, samples: Sequence[Sample]) -> list[str]:
        if self.weights.point_weight == 0 or any(one.points for sample in samples for one in sample.instances):
            return []
        return ["method.point_weight changes nothing, as no label that prompts has points"]

    def losses(self, batch: Batch) -> Losses:
        """See `Method.losses`: the unweighted terms, and signals of health of what ran.

        The signals: "anchor_agreement" (mean IoU of the pseudo-labels with the source model's masks), "teacher_area"
        (mean fraction of the image that a pseudo-label covers) and "predicted_iou" (what the network thinks of its
        masks on the weak view).
        """
        branches = Branches(
            self.segmenter,
            batch,
            anchor=lambda: self.anchor(self.segmenter, batch),
            teacher=lambda branches: self.teacher(branches, batch),
            ignore_padding=self.formulation.ignore_padding,
        )
        return {**weighted_sum(self.terms, branches, batch), **_signals(branches, batch)}

    def after_step(self) -> None:
        if self.ema is not None:
            self.ema.update(self.segmenter)

    def result(self) -> dict[str, Tensor]:
        """The teacher's weights where it is an average: they vary less from step to step than the student's."""
        if self.ema is None:
            return super().result()
        return {name: tensor.clone() for name, tensor in self.ema.weights().items()}


def wesam_terms(settings: WesamSettings, formulation: Formulation, entries: Entries) -> tuple[Term, ...]:
    """The losses of the method, with their weights."""
    st, alpha = settings.self_training_weight, formulation.focal_alpha
    if formulation.anchor_distance == "dice":
        distance = partial(anchor.dice, views=settings.anchor_views)
    else:
        distance = partial(anchor.focal, views=settings.anchor_views, scale=FOCAL_WEIGHT, alpha=alpha)
    negatives = formulation.cross_image_negatives
    weaker = partial(student_prompt, kinds=settings.student_prompts, scale=FOCAL_WEIGHT, alpha=alpha)
    return (
        Term("focal", st * FOCAL_WEIGHT, "object", partial(self_training.focal, alpha=alpha)),
        Term("dice", st * formulation.dice, "object", self_training.dice),
        Term("iou", st * formulation.iou, "object", self_training.iou),
        Term("anchor", settings.anchor_weight, "object", distance),
        Term(
            "contrastive",
            settings.contrastive_weight,
            "batch",
            partial(contrast, entries=entries, cross_image_negatives=negatives),
        ),
        Term("student_prompt", settings.student_prompt_weight, "object", weaker, with_masks=True),
        Term("box_projection", settings.box_projection_weight, "object", box_projection),
        Term("points", settings.point_weight, "object", points),
    )


@torch.no_grad()
def _signals(branches: Branches, batch: Batch) -> Mapping[str, Tensor]:
    """Of branches that ran anyway."""
    signals, index = {}, batch.image_index
    if branches.ran("pseudo_labels"):
        valid = batch.valid[index]
        area = (branches.pseudo_labels * valid).sum((1, 2)) / valid.sum((1, 2)).clamp_min(1)
        signals["teacher_area"] = image_mean(area, index, len(batch))
        if branches.ran("anchor"):
            agreement = mask_iou(branches.pseudo_labels, branches.anchor.masks, branches.weight)
            signals["anchor_agreement"] = image_mean(agreement, index, len(batch))
    if branches.ran("student_weak"):
        signals["predicted_iou"] = image_mean(branches.student_weak.iou, index, len(batch))
    return signals


register(WesamSettings, Wesam)
