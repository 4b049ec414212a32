"""Soft Teacher: reliable pseudo-labels of an EMA teacher (Xu et al., ICCV 2021, arXiv 2106.09018).

Original: a teacher that is the student's moving average (0.999) gives pseudo-boxes with a score of at least 0.9; each
background candidate is weighted by the teacher's own background score; a box is learned from where it stays
in place when it is jittered (10 draws of 6 % of its sides, relative deviation of at most 0.02).

Carried over: the EMA teacher's mask on the weak view teaches the student on the strong one. Cells that the teacher
calls background weigh its own ``1 - p``. An object is learned from where the teacher's predicted IoU and its
agreement with itself under jitter of the prompt's box are among the better half of those seen lately.

Not carried over: the supervised half, as there are no masks. Thresholds of 0.9 and 0.02 are those of another
network's scores, and SAM's predicted IoU is not calibrated on other domains, so both are quantiles here. Prompts
without a box are jittered by the box of the teacher's mask.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from wesam.batches.batch import Batch
from wesam.losses.entropy import weighted_mean
from wesam.losses.iou import mask_iou
from wesam.methods.base import Losses, Method, MethodSettings
from wesam.methods.branches import Branches
from wesam.methods.ema import EmaAdapter
from wesam.methods.regions import object_boxes
from wesam.methods.registry import register
from wesam.methods.term import Term, weighted_sum
from wesam.models.segmenter import Segmenter
from wesam.types import MaskPrediction, Prompts

_SEEN = 256  # objects whose scores are remembered


class SoftTeacherSettings(MethodSettings):
    """What Soft Teacher can be told."""

    name: Literal["soft-teacher"] = "soft-teacher"

    ema_decay: float = Field(default=0.999, ge=0, lt=1, description="fraction of the teacher that a step keeps")
    kept: float = Field(default=0.5, gt=0, le=1, description="of objects, by each of the two scores; 1 keeps all")
    jitters: int = Field(default=10, ge=1, description="draws of a jittered box; original: 10")
    jitter: float = Field(default=0.06, gt=0, lt=0.5, description="of a box's sides; original: 0.06")


class SoftTeacher(Method):
    """``L = BCE(p_strong, t)`` over reliable objects, background weighted by the teacher's ``1 - p``."""

    shown = ("total", "reliable")
    seen: Tensor

    def __init__(self, segmenter: Segmenter, settings: SoftTeacherSettings) -> None:
        super().__init__(segmenter, settings)
        self.knobs = settings
        self.ema = EmaAdapter(segmenter, settings.ema_decay)
        # NaN where nothing was seen yet; columns: predicted IoU, agreement under jitter.
        self.register_buffer("seen", torch.full((_SEEN, 2), torch.nan))
        self.terms = (Term("reliable", 1.0, "object", self.reliable),)

    def losses(self, batch: Batch) -> Losses:
        """See `Method.losses`."""
        return weighted_sum(self.terms, Branches(self.segmenter, batch), batch)

    def reliable(self, branches: Branches, batch: Batch) -> Tensor:
        """(N,) the loss; 0 for objects whose pseudo-label is not reliable."""
        with self.ema.teaching(self.segmenter):
            features = self.segmenter.encode(batch.weak)
            taught = self.segmenter.decode(features, batch.prompts, batch.image_index)
            boxes = object_boxes(batch, self.segmenter, taught.logits > 0)
            boxes = boxes * (self.segmenter.input_size / self.segmenter.mask_grid)
            again = [
                self.segmenter.decode(features, Prompts(boxes=shaken), batch.image_index)
                for shaken in jittered(boxes, self.knobs.jitters, self.knobs.jitter, batch)
            ]
        keep = self._kept(taught, agreement(taught, again, branches.weight))
        return keep * soft_loss(branches.student_strong.logits, taught.logits, branches.weight)

    @torch.no_grad()
    def _kept(self, taught: MaskPrediction, agrees: Tensor) -> Tensor:
        """(N,) bool: both scores among the better of those seen; and remembers them."""
        scores = torch.stack([taught.iou.float(), agrees], 1)
        self.seen.copy_(torch.cat([scores, self.seen])[:_SEEN])
        known = self.seen[~self.seen.isnan().any(1)]
        return (scores >= known.quantile(1 - self.knobs.kept, dim=0)).all(1)

    def after_step(self) -> None:
        self.ema.update(self.segmenter)


def jittered(boxes: Tensor, draws: int, jitter: float, batch: Batch) -> Tensor:
    """(draws, N, 4): each edge of boxes (N, 4) moved by up to a fraction of the box's side."""
    sides = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    drawn = [
        torch.rand(draws, rows.stop - rows.start, 4, generator=generator)
        for rows, generator in zip(batch.rows, batch.generators(), strict=True)
    ]
    return boxes + jitter * sides * (2 * torch.cat(drawn, 1).to(boxes) - 1)


def agreement(taught: MaskPrediction, again: list[MaskPrediction], weight: Tensor | None) -> Tensor:
    """(N,) mean IoU of the teacher's masks with those that jittered boxes give."""
    mask = taught.logits > 0
    return torch.stack([mask_iou(mask, one.logits > 0, weight) for one in again]).mean(0)


def soft_loss(student: Tensor, teacher: Tensor, weight: Tensor | None) -> Tensor:
    """(N,) cross-entropy with the teacher's masks; cells of its background weigh ``1 - p``.

    Args:
        student, teacher: logits (N, m, m).
        weight: (N, m, m) or None.
    """
    target = teacher > 0
    trust = torch.where(target, torch.ones_like(teacher), 1 - teacher.float().sigmoid())
    loss = F.binary_cross_entropy_with_logits(student.float(), target.float(), reduction="none")
    return weighted_mean(loss, trust if weight is None else trust * weight)


register(SoftTeacherSettings, SoftTeacher)
