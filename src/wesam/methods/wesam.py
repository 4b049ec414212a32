"""The method: self-training, anchored and contrasted (WeSAM; CVPR 2024, arXiv 2312.03502)."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from wesam.batches.batch import Batch
from wesam.losses.contrastive import ContrastiveForm, contrastive_loss
from wesam.losses.dice import dice_loss
from wesam.losses.focal import focal_loss
from wesam.losses.iou import mask_iou
from wesam.losses.projection import projection_loss
from wesam.losses.reduce import image_mean
from wesam.methods.anchor import AnchorBranch
from wesam.methods.base import Objective
from wesam.methods.ema import EmaAdapter
from wesam.methods.entries import Entries
from wesam.methods.label_knowledge import boxes_on_grid, outline_loss, point_loss, within_boxes
from wesam.methods.mask_choice import Granularity, consistent_logits
from wesam.methods.pseudo_labels import certainty, soft_labels
from wesam.methods.segmentation import FOCAL_WEIGHT, mask_losses, named, pixel_weight, predict_both
from wesam.models.features import Features
from wesam.models.segmenter import Segmenter


class WesamSettings(BaseModel):
    """What is learned, and what from. Every ablation of the paper's losses is a setting here."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Literal["wesam"] = "wesam"

    self_training_weight: float = Field(default=1.0, ge=0, description="of L_st; paper: 1")
    anchor_weight: float = Field(default=1.0, ge=0, description="of L_anchor; paper: 1")
    anchor_weight_end: float | None = Field(
        default=None,
        ge=0,
        description="of L_anchor at the run's end, reached in a straight line; None: as at its beginning (paper)",
    )
    contrastive_weight: float = Field(
        default=0.0,
        ge=0,
        description="of L_con; paper: 1. Off by default: it cost 6 points on the one family of look-alike objects "
        "that was measured (docs/experiments/2026-11-23-boxes-to-adapter.md)",
    )
    focal_weight: float = Field(
        default=FOCAL_WEIGHT,
        ge=0,
        description="of the focal loss within L_st and, with `anchor_form=focal`, within L_anchor; SAM's and the "
        "paper's ratio: 20",
    )
    focal_alpha: float = Field(
        default=0.5,
        gt=0,
        lt=1,
        description="weight of a mask's pixels in the focal loss, the others get 1 - alpha; paper: 0.8, which makes "
        "masks grow from round to round (docs/experiments/2026-11-23-stability.md)",
    )
    dice_weight: float = Field(
        default=0.0,
        ge=0,
        description="of the Dice loss within L_st; paper: 1. Off by default: against pseudo-labels it makes masks grow "
        "(docs/experiments/2026-11-23-stability.md)",
    )
    anchor_form: Literal["focal", "dice"] = Field(
        default="focal",
        description="the distance to the source model's masks; paper: dice, which makes masks grow as in L_st",
    )
    iou_weight: float = Field(
        default=0.0,
        ge=0,
        description="of the predicted IoU's error within L_st; paper: 1. Off by default: the head that predicts is "
        "frozen, so features move until it is overconfident, and masks grow with it "
        "(docs/experiments/2026-11-23-never-worse.md)",
    )

    contrastive_form: ContrastiveForm = Field(
        default="summed",
        description="`summed`: the paper's formula; `row-wise`: InfoNCE, every instance weighs the same",
    )
    temperature: float = Field(default=0.3, gt=0, description="tau of L_con; paper: 0.3")
    background_negative: bool = Field(
        default=True,
        description="the background is a further pseudo-instance, so that an image with one instance has a "
        "negative; paper: no",
    )
    cross_image_negatives: bool = Field(
        default=True,
        description="instances of the batch's other images are negatives too; paper: no",
    )

    teacher: Literal["shared", "ema"] = Field(
        default="ema",
        description="whose masks are the pseudo-labels: those of the student's own weights (paper), or of "
        "their moving average; paper: shared. The average holds back the drift of either "
        "(docs/experiments/2026-11-23-boxes-to-adapter.md)",
    )
    ema_decay: float = Field(default=0.99, ge=0, lt=1, description="share of the average an update keeps (chosen here)")
    soft_targets: bool = Field(
        default=False,
        description="the pseudo-labels of L_st are the teacher's probabilities, not its masks; paper: no",
    )
    confidence_weighting: bool = Field(
        default=False,
        description="a pixel counts in focal and Dice of L_st by how sure the teacher is of it, |2 p - 1|; paper: no",
    )
    agreement_weighting: bool = Field(
        default=False,
        description="an object counts in L_st by the IoU of its pseudo-label with the source model's mask; paper: no",
    )

    box_projection_weight: float = Field(
        default=0.2,
        ge=0,
        description="of BoxInst's projection loss on the student, for labels with a box (arXiv 2012.02310); paper: 0. "
        "With 1 masks grew again (docs/experiments/2026-11-23-stability.md), with 0 all domains gained less "
        "(docs/experiments/2026-11-23-constraints.md)",
    )
    box_clip: bool = Field(
        default=False,
        description="pseudo-labels are cut off outside the label's box; paper: no. It changed nothing "
        "(docs/experiments/2026-11-23-constraints.md)",
    )
    box_slack: float = Field(
        default=0.05,
        ge=0,
        description="by what share of its sides the box is stretched for `box_clip` (chosen here)",
    )
    box_projection_slack: float = Field(
        default=0.0,
        ge=0,
        lt=0.5,
        description="the projection loss asks nothing of rows and columns nearer to an edge of the box than this share "
        "of its side, for boxes drawn sloppily; BoxInst: 0",
    )
    point_weight: float = Field(
        default=0.0,
        ge=0,
        description="of the cross-entropy of the student at the label's points (arXiv 1506.02106); paper: 0. With 1 "
        "most domains gained up to 1.3 points and nuclei, small and touching, lost "
        "(docs/experiments/2026-11-23-constraints.md)",
    )
    points_of_others: bool = Field(
        default=True,
        description="for `point_weight`: an object's positive points are negatives of the image's other objects, save "
        "where those objects' own labels might hold them; switch off for nested objects that have points alone",
    )
    coarse_weight: float = Field(
        default=0.0,
        ge=0,
        description="of the cross-entropy of the student against a coarse mask (polygon, brush), off its border; "
        "paper: 0. With 1 nearly all domains lost (docs/experiments/2026-11-23-constraints.md)",
    )
    coarse_band: float = Field(
        default=0.15,
        ge=0,
        description="for `coarse_weight`: nearer to the drawn border than this share of the object's size (the root of "
        "its area), and than one cell of the mask grid, nothing is known (chosen here)",
    )
    granularity: Granularity = Field(
        default="label",
        description="which of SAM's answers teacher and anchor give: the single-mask output (`single`; paper), or, of "
        "that and the three multimask outputs, the one that fits the label best (`label`; a second decoder pass "
        "without gradients), better with boxes on 6 of 7 domains (docs/experiments/2026-11-23-constraints.md)",
    )

    ignore_padding: bool = Field(
        default=True,
        description="mask losses and pooled features leave out what lies beside the image; paper: no",
    )
    anchor_cache_mb: int = Field(
        default=512,
        ge=0,
        description="CPU memory a process for what the source model said, in MiB; about 9 kB an instance and "
        "flip for SAM; 0 asks it at every step, with the same results",
    )


class WesamObjective(Objective):
    """``L = w_st L_st + w_anchor L_anchor + w_con L_con + w_proj L_proj + w_point L_point + w_coarse L_coarse``.

    With y the mask logits of a look, p = sigmoid(y), t the pseudo-labels and a the source model's masks, both
    thresholded at logit 0 and constant:

    * ``L_st = 20 focal(p_strong, t) + w_dice dice(p_strong, t) + w_iou (iou_head - IoU(1[y_strong > 0], t))^2``, in the
      paper with w_dice and w_iou 1, here 0;
    * ``L_anchor = d(p_strong, a) / 2 + d(p_weak, a) / 2``, in the paper with d = dice, here 20 focal;
    * L_con: weak features pooled under t against the source model's features pooled under a.
    * L_proj, L_point, L_coarse: what the label's box, points and coarse mask say about p_strong (not in the paper;
      weight 0 there). See `methods.label_knowledge`.

    Means are over the instances of an image first, then over images.

    Student and shared teacher are one encoder pass over both looks and one decoder call; the anchor is asked
    once for each image and flip; an EMA teacher costs a further pass without gradients. Whichever teacher
    gives the pseudo-labels, the anchor and the contrastive loss train the student's own weights on the weak
    look: p_weak and the weak features above.
    """

    def __init__(self, segmenter: Segmenter, settings: WesamSettings) -> None:
        super().__init__(segmenter)
        self.settings = settings
        self.entries = Entries(settings.background_negative, settings.ignore_padding)
        self.anchor = AnchorBranch(self.entries, settings.anchor_cache_mb * 2**20, settings.granularity)
        self.ema = EmaAdapter(segmenter, settings.ema_decay) if settings.teacher == "ema" else None

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """See `Objective.forward`.

        Returns:
            "total"; the unweighted losses "self_training" with its parts "focal", "dice" and "iou", "anchor",
            "contrastive", "box_projection", "points" and "coarse" (0 where their weight is 0); and signals of health:
            "anchor_agreement" (mean IoU of the pseudo-labels with the source model's masks), "teacher_area" (mean
            share of the image that a pseudo-label covers) and "predicted_iou" (what the network thinks of its masks
            on the weak look).
        """
        settings, index, images = self.settings, batch.image_index, len(batch)
        weight = pixel_weight(batch, settings.ignore_padding)

        anchor = self.anchor(self.segmenter, batch)
        averaged = self._averaged_logits(batch)
        looks = predict_both(self.segmenter, batch)
        teacher = averaged
        if teacher is None:
            teacher = self._fitting(looks.weak.logits.detach(), looks.weak_features.detach(), batch)
        pseudo_labels = teacher > 0
        boxes = boxes_on_grid(batch, self.segmenter)
        if settings.box_clip and boxes is not None:
            pseudo_labels = within_boxes(pseudo_labels, boxes, settings.box_slack)

        agreement = mask_iou(pseudo_labels, anchor.masks, weight)
        soft = soft_labels(teacher, pseudo_labels)
        parts = mask_losses(
            looks.strong,
            soft if settings.soft_targets else pseudo_labels,
            weight,
            index,
            images,
            settings.focal_alpha,
            certainty(soft) if settings.confidence_weighting else None,
            agreement if settings.agreement_weighting else None,
        )
        self_training = (
            settings.focal_weight * parts["focal"]
            + settings.dice_weight * parts["dice"]
            + settings.iou_weight * parts["iou"]
        )
        distances = [self._distance(look.logits, anchor.masks, weight) for look in (looks.strong, looks.weak)]
        anchoring = image_mean(0.5 * (distances[0] + distances[1]), index, images)
        z, present = self.entries.pool(looks.weak_features, pseudo_labels, index, batch.valid)
        contrast = contrastive_loss(
            z,
            anchor.z,
            present & anchor.present,
            self.entries.image_index(index, images),
            images,
            temperature=settings.temperature,
            form=settings.contrastive_form,
            cross_image_negatives=settings.cross_image_negatives,
        )
        knowledge = self._label_losses(looks.strong.logits, batch, boxes)
        total = (
            settings.self_training_weight * self_training
            + self._anchor_weight() * anchoring
            + settings.contrastive_weight * contrast
            + settings.box_projection_weight * knowledge["box_projection"]
            + settings.point_weight * knowledge["points"]
            + settings.coarse_weight * knowledge["coarse"]
        )
        valid = batch.valid[index]
        area = (pseudo_labels * valid).sum((1, 2)) / valid.sum((1, 2)).clamp_min(1)
        return named(
            total,
            {
                "self_training": self_training,
                **parts,
                "anchor": anchoring,
                "contrastive": contrast,
                **knowledge,
                "anchor_agreement": image_mean(agreement, index, images),
                "teacher_area": image_mean(area, index, images),
                "predicted_iou": image_mean(looks.weak.iou, index, images),
            },
        )

    def _distance(self, logits: Tensor, masks: Tensor, weight: Tensor | None) -> Tensor:
        """(N,) distances of logits (N, m, m) from the source model's masks."""
        if self.settings.anchor_form == "dice":
            return dice_loss(logits, masks, weight)
        return self.settings.focal_weight * focal_loss(logits, masks, weight, self.settings.focal_alpha)

    def _anchor_weight(self) -> float:
        start, end = self.settings.anchor_weight, self.settings.anchor_weight_end
        return start if end is None else start + (end - start) * self.progress

    def _averaged_logits(self, batch: Batch) -> Tensor | None:
        """(N, m, m) mask logits of the EMA teacher on the weak look; None without one."""
        if self.ema is None:
            return None
        with self.ema.teaching(self.segmenter):
            features = self.segmenter.encode(batch.weak)
            logits = self.segmenter.decode(features, batch.prompts, batch.image_index).logits
            return self._fitting(logits, features, batch)

    def _fitting(self, logits: Tensor, features: Features, batch: Batch) -> Tensor:
        """The teacher's logits (N, m, m) of the single-mask output, or those of answers that fit the labels better."""
        if self.settings.granularity == "single":
            return logits
        return consistent_logits(logits, self.segmenter, features, batch.prompts, batch.image_index, batch.outlines)

    def _label_losses(self, logits: Tensor, batch: Batch, boxes: Tensor | None) -> dict[str, Tensor]:
        """What the labels say about the student's logits (N, m, m): scalars, 0 where nothing is weighed or known.

        The mean is over all objects of an image, whatever labels they have, so that one box among many clicks does not
        weigh as much as an image full of boxes.
        """
        settings = self.settings
        losses = dict.fromkeys(("box_projection", "points", "coarse"), logits.new_zeros(len(logits)))
        if settings.box_projection_weight > 0 and boxes is not None:
            losses["box_projection"] = projection_loss(logits, boxes, settings.box_projection_slack)
        if settings.point_weight > 0:
            losses["points"] = point_loss(logits, batch, self.segmenter.input_size, settings.points_of_others)
        if settings.coarse_weight > 0 and batch.outlines is not None:
            losses["coarse"] = outline_loss(logits, batch.outlines, settings.coarse_band)
        return {name: image_mean(loss, batch.image_index, len(batch)) for name, loss in losses.items()}

    def after_step(self) -> None:
        if self.ema is not None:
            self.ema.update(self.segmenter)

    def result(self) -> dict[str, Tensor]:
        """The teacher's weights where it is an average: they vary less from step to step than the student's."""
        return super().result() if self.ema is None else self.extra_state()

    def extra_state(self) -> dict[str, Tensor]:
        return {} if self.ema is None else {name: t.clone() for name, t in self.ema.weights().items()}

    def load_extra_state(self, state: dict[str, Tensor]) -> None:
        if self.ema is not None:
            self.ema.load(state)
        else:
            super().load_extra_state(state)
