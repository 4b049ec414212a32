"""SAM-TTA: the network's own word on its masks guides it, at two scales (Wu et al. 2025, arXiv 2506.05221).

Original, read from the authors' public code (numbers of equations are not known here): a learned Bezier curve of four
points for each channel changes the tones of the image; teacher (moving average, 0.95) and student see it. Loss:
``1 - q`` of the predicted IoU q, + 1/2 of ``w (1 - Dice)`` with the teacher's masks at the full and at the low
resolution, where ``w = -log(1 - q)`` as a fraction of the largest so far, + the divergence between teacher's and
student's feature maps, each channel a softmax over places whose temperature is q. LoRA of rank 4; Adam, 1e-4 for the
network and 0.1 for the curve; a single pass over the test images.

Carried over: all four, on the weak view, one value an object (an image for the divergence). The low resolution is the
mask grid averaged over 4 x 4 cells. The curve learns with the student and is what the student alone sees.

Not carried over: the curve at test time, as an adapter holds weights of the network and nothing that changes pixels;
so the teacher sees the image as it is, and the curve is a view that the student learns to see through. Its points
start on the straight line, are clamped to [0, 1] in place of the original's sigmoid, which is no identity, and learn
at 50 times the run's rate, which stands for the original's own rate. Adaptation to each test image alone: all methods
here adapt to a set.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from wesam.batches.batch import Batch
from wesam.frames.input_format import InputFormat
from wesam.losses.dice import dice_loss
from wesam.losses.reduce import membership
from wesam.methods.base import Losses, Method, MethodSettings
from wesam.methods.branches import Branches
from wesam.methods.ema import EmaAdapter
from wesam.methods.registry import register
from wesam.methods.term import Term, weighted_sum
from wesam.models.features import Features
from wesam.models.segmenter import Segmenter
from wesam.types import MaskPrediction

_COARSE = 4  # cells of the mask grid, a side, that are one of the low resolution
_CURVE_RATE = 50.0  # of the run's
_LEAST = 1e-6  # of 1 - predicted IoU within the logarithm, as in the original
_LEAST_TEMPERATURE = 0.05  # a network that thinks nothing of its masks would divide by 0


class SamTtaSettings(MethodSettings):
    """What SAM-TTA can be told."""

    name: Literal["sam-tta"] = "sam-tta"

    ema_decay: float = Field(default=0.95, ge=0, lt=1, description="fraction of the teacher that a step keeps")
    consistency_weight: float = Field(default=0.5, ge=0, description="of the two Dice losses; original: 0.5")
    feature_weight: float = Field(default=1.0, ge=0, description="of the divergence of feature maps; original: 1")
    tone_curve: bool = Field(default=True, description="the student sees the image through a learned tone curve")


@dataclass(frozen=True)
class Taught:
    """What the teacher says to a batch.

    Attributes:
        features: of the weak view.
        logits: (N, m, m).
    """

    features: Features
    logits: Tensor


@dataclass(frozen=True)
class Answered:
    """What the student says to a batch: its features and its masks."""

    features: Features
    answer: MaskPrediction


class SamTta(Method):
    """``L = (1 - q) + 1/2 w (dice + dice_coarse) + KL(f_teacher || f_student)``."""

    shown = ("total", "confidence", "consistency", "features")
    largest: Tensor

    def __init__(self, segmenter: Segmenter, settings: SamTtaSettings) -> None:
        super().__init__(segmenter, settings)
        self.knobs = settings
        self.ema = EmaAdapter(segmenter, settings.ema_decay)
        self.register_buffer("largest", torch.zeros(()))
        self.curve = nn.Parameter(torch.zeros(3, 4)) if settings.tone_curve else None

    def losses(self, batch: Batch) -> Losses:
        """See `Method.losses`."""
        taught = self.teach(batch)
        student = self.answer(batch)
        terms = (
            Term("confidence", 1.0, "object", lambda *_: 1 - student.answer.iou.clamp(0, 1)),
            Term("consistency", self.knobs.consistency_weight, "object", partial(self.consistency, student, taught)),
            Term("features", self.knobs.feature_weight, "image", partial(feature_divergence, student, taught)),
        )
        return weighted_sum(terms, Branches(self.segmenter, batch), batch)

    def answer(self, batch: Batch) -> Answered:
        """The student on the weak view, through the tone curve."""
        pixels = batch.weak
        if self.curve is not None:
            pixels = toned(pixels, self.curve, batch.valid, self.segmenter.input)
        features = self.segmenter.encode(pixels)
        return Answered(features, self.segmenter.decode(features, batch.prompts, batch.image_index))

    @torch.no_grad()
    def teach(self, batch: Batch) -> Taught:
        """The teacher on the weak view as it is."""
        with self.ema.teaching(self.segmenter):
            features = self.segmenter.encode(batch.weak)
            return Taught(features, self.segmenter.decode(features, batch.prompts, batch.image_index).logits)

    def consistency(self, student: Answered, taught: Taught, branches: Branches, batch: Batch) -> Tensor:
        """(N,) Dice losses at both resolutions, weighted by how much the student trusts its mask."""
        trust = -(1 - student.answer.iou.detach()).clamp(_LEAST, 1).log()
        self.largest.copy_(torch.maximum(self.largest, trust.max()))
        weight = trust / self.largest.clamp_min(_LEAST)
        return weight * two_scales(student.answer.logits, taught.logits, batch.valid[batch.image_index])

    def after_step(self) -> None:
        self.ema.update(self.segmenter)


def toned(pixels: Tensor, curve: Tensor, valid: Tensor, seen: InputFormat) -> Tensor:
    """Pixels whose tones a cubic Bezier polynomial changes: ``sum_i C(3, i) t^i (1 - t)^(3 - i) P_i``.

    Args:
        pixels: (B, 3, S, S) as the encoder reads them.
        curve: (3, 4), by how much the points of each channel's curve differ from (0, 1/3, 2/3, 1), in 50ths.
        valid: (B, m, m), 1 on the image; padding stays as it is.
        seen: the statistics that pixels were normalised with.
    """
    mean, std = (pixels.new_tensor(values)[None, :, None, None] for values in (seen.mean, seen.std))
    points = (torch.linspace(0, 1, 4, device=curve.device) + _CURVE_RATE * curve).clamp(0, 1)
    first, second, third, fourth = points[None, :, :, None, None].unbind(2)
    t = (pixels * std + mean).clamp(0, 1)
    u = 1 - t
    tones = u**3 * first + 3 * u**2 * t * second + 3 * u * t**2 * third + t**3 * fourth
    inside = F.interpolate(valid[:, None], pixels.shape[2:], mode="nearest") > 0
    return torch.where(inside, (tones - mean) / std, pixels)


def two_scales(student: Tensor, teacher: Tensor, valid: Tensor) -> Tensor:
    """(N,) sum of the Dice losses against the teacher's mask on the mask grid and on one 4 x 4 times coarser.

    Args:
        student, teacher: logits (N, m, m).
        valid: (N, m, m) weights, 0 on padding.
    """
    coarse = [F.avg_pool2d(maps[:, None], _COARSE)[:, 0] for maps in (student, teacher, valid)]
    return sum(
        (dice_loss(own, taught > 0, weight) for own, taught, weight in ((student, teacher, valid), tuple(coarse))),
        start=student.new_zeros(len(student)),
    )


def feature_divergence(student: Answered, taught: Taught, branches: Branches, batch: Batch) -> Tensor:
    """(B,) mean over channels of KL(teacher || student), each map a softmax over its cells.

    The temperature of an image is the student's mean predicted IoU there.
    """
    member = membership(batch.image_index, len(batch)).float()
    trust = (member @ student.answer.iou.detach().clamp(0, 1)) / member.sum(1).clamp_min(1)
    temperature = trust.clamp_min(_LEAST_TEMPERATURE)[:, None, None]
    logs = [
        F.log_softmax(features.pooled.float().flatten(2) / temperature, 2)
        for features in (taught.features, student.features)
    ]
    return (logs[0].exp() * (logs[0] - logs[1])).sum(2).mean(1)


register(SamTtaSettings, SamTta)
