"""WDASS: weak labels override pseudo-labels, and cells are drawn to prototypes (Das et al., CVPR 2023).

Original: domain adaptive segmentation with weak labels of the target. A teacher with decay ``min(1 - 1/(t + 1),
0.999)`` gives pseudo-labels where its probability is at least 0.95; image, point and coarse labels override them;
features of pixels are drawn to the prototypes of their class, temperature 0.1, which come from the source data and
the target's labels.

Carried over, target side only: on cells that are known, the student on the strong view learns the teacher's confident
label or, before it, what the weak label says: cells outside the box and at negative points are background, cells at
positive points are the object. Each object and what is around it have a prototype of the teacher's features, and the
student's features of known cells are drawn to theirs.

Not carried over: everything that needs source data, which nobody has here; class prototypes shared by images.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from wesam.batches.batch import Batch
from wesam.losses.entropy import weighted_mean
from wesam.methods.base import Losses, Method, MethodSettings
from wesam.methods.branches import Branches
from wesam.methods.ema import EmaAdapter
from wesam.methods.prototypes import nearness, on_feature_grid, prototypes
from wesam.methods.regions import certain
from wesam.methods.registry import register
from wesam.methods.term import Term, weighted_sum
from wesam.models.segmenter import Segmenter


class WdassSettings(MethodSettings):
    """What WDASS can be told."""

    name: Literal["wdass"] = "wdass"

    confident: float = Field(default=0.95, gt=0.5, lt=1, description="probability from which a cell counts")
    most_decay: float = Field(default=0.999, ge=0, lt=1, description="of the teacher, once it is old; original: 0.999")
    contrast_weight: float = Field(default=1.0, ge=0, description="of the contrast with prototypes")
    temperature: float = Field(default=0.1, gt=0, description="of the contrast; original: 0.1")


@dataclass(frozen=True)
class Taught:
    """What is known of a batch before the student is asked.

    Attributes:
        features: (B, C, g, g) of the teacher on the weak view.
        on, off: (N, m, m) float in {0, 1}: cells known to be on the object, and off it.
    """

    features: Tensor
    on: Tensor
    off: Tensor


class Wdass(Method):
    """``L = BCE(p_strong, t) + w_contrast CE(cos(f, prototypes) / tau, t)`` over known cells."""

    shown = ("total", "self_training", "contrast")
    steps: Tensor

    def __init__(self, segmenter: Segmenter, settings: WdassSettings) -> None:
        super().__init__(segmenter, settings)
        self.knobs = settings
        self.ema = EmaAdapter(segmenter, 0.0)
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    def losses(self, batch: Batch) -> Losses:
        """See `Method.losses`."""
        taught = self.teach(batch)
        drawn = partial(contrast, taught=taught, temperature=self.knobs.temperature)
        terms = (
            Term("self_training", 1.0, "object", partial(self_training, taught=taught)),
            Term("contrast", self.knobs.contrast_weight, "object", drawn),
        )
        return weighted_sum(terms, Branches(self.segmenter, batch), batch)

    def teach(self, batch: Batch) -> Taught:
        """The teacher's features and what it and the label know."""
        with self.ema.teaching(self.segmenter):
            features = self.segmenter.encode(batch.weak)
            logits = self.segmenter.decode(features, batch.prompts, batch.image_index).logits
        on, off = known_cells(logits, *certain(batch, self.segmenter), self.knobs.confident)
        return Taught(features.pooled, on, off)

    def after_step(self) -> None:
        self.steps += 1
        self.ema.decay = min(1 - 1 / (int(self.steps) + 1), self.knobs.most_decay)
        self.ema.update(self.segmenter)


def self_training(branches: Branches, batch: Batch, taught: Taught) -> Tensor:
    """(N,) cross-entropy of the student on known cells; the object's and the others weigh half each."""
    logits = branches.student_strong.logits.float()
    return (weighted_mean(F.softplus(-logits), taught.on) + weighted_mean(F.softplus(logits), taught.off)) / 2


def contrast(branches: Branches, batch: Batch, taught: Taught, temperature: float) -> Tensor:
    """(N,) cross-entropy of the nearer prototype on known cells; the object's and the others weigh half each."""
    student = branches.features_strong.pooled
    on, off = (on_feature_grid(cells, student.shape[2]) for cells in (taught.on, taught.off))
    inside, outside = (prototypes(taught.features, batch.image_index, cells) for cells in (on, off))
    near = nearness(student, batch.image_index, inside, outside) / temperature
    both = (on.flatten(1).any(1) & off.flatten(1).any(1)).float()  # else there is nothing to tell apart
    return both * (weighted_mean(F.softplus(-near), on) + weighted_mean(F.softplus(near), off)) / 2


def known_cells(taught: Tensor, on: Tensor, off: Tensor, confident: float) -> tuple[Tensor, Tensor]:
    """Cells known to be on the object and off it: what the label says, else what the teacher is sure of.

    Args:
        taught: logits (N, m, m) of the teacher.
        on, off: (N, m, m) bool, what the label says.
        confident: probability from which the teacher counts.

    Returns:
        two (N, m, m) float maps in {0, 1} that share no cell.
    """
    p = taught.float().sigmoid()
    return ((on | (p >= confident)) & ~off).float(), ((off | (p <= 1 - confident)) & ~on).float()


register(WdassSettings, Wdass)
