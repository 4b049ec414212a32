"""TRIBE: three nets, one of them frozen (Su et al., AAAI 2024, arXiv 2309.14949).

Original: a student, an auxiliary net that shares its weights and the frozen source net. The student learns by
cross-entropy from the auxiliary's labels on samples whose entropy is below ``H0 ln K``; ``+ 0.5 MSE`` between
auxiliary and source on the same samples, with the gradient through the auxiliary, holds the pair near the source.
BatchNorm is balanced over classes. H0 is between 0.05 and 0.4.

Carried over, cell by cell of a mask: the student on the strong view learns the hard label of the auxiliary (the same
weights on the weak view) where the auxiliary's entropy is below ``H0 ln 2``, and half the squared difference between
auxiliary and source logits on the same cells is added.

Not carried over: balanced BatchNorm, as there is no BatchNorm in SAM and there are no classes to balance.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from wesam.batches.batch import Batch
from wesam.losses.entropy import LN2, bernoulli_entropy, weighted_mean
from wesam.methods.base import Losses, Method, MethodSettings
from wesam.methods.branches import Branches
from wesam.methods.registry import register
from wesam.methods.term import Term, weighted_sum
from wesam.models.segmenter import Segmenter


class TribeSettings(MethodSettings):
    """What TRIBE can be told."""

    name: Literal["tribe"] = "tribe"

    confident: float = Field(
        default=0.4,
        gt=0,
        le=1,
        description="H0: entropy below which a cell counts, in units of ln 2; original: 0.05 to 0.4",
    )
    anchor_weight: float = Field(default=0.5, ge=0, description="of the squared difference to the source")


class Tribe(Method):
    """``L = BCE(p_strong, 1[y_weak > 0]) + w_anchor (y_weak - y_source)^2`` over confident cells."""

    shown = ("total", "self_training", "anchor")

    def __init__(self, segmenter: Segmenter, settings: TribeSettings) -> None:
        super().__init__(segmenter, settings)
        self.knobs = settings
        self.terms = (
            Term("self_training", 1.0, "object", self.self_training),
            Term("anchor", settings.anchor_weight, "object", self.anchor),
        )

    def losses(self, batch: Batch) -> Losses:
        """See `Method.losses`."""
        return weighted_sum(self.terms, Branches(self.segmenter, batch), batch)

    def confident(self, branches: Branches, batch: Batch) -> Tensor:
        """(N, m, m) float: cells of the image that the auxiliary net is sure of."""
        sure = bernoulli_entropy(branches.student_weak.logits.detach()) < self.knobs.confident * LN2
        return sure * batch.valid[batch.image_index]

    def self_training(self, branches: Branches, batch: Batch) -> Tensor:
        """(N,) cross-entropy of the student with the auxiliary net's hard labels."""
        label = (branches.student_weak.logits.detach() > 0).float()
        loss = F.binary_cross_entropy_with_logits(branches.student_strong.logits.float(), label, reduction="none")
        return weighted_mean(loss, self.confident(branches, batch))

    def anchor(self, branches: Branches, batch: Batch) -> Tensor:
        """(N,) squared difference between the auxiliary net's logits and the source model's."""
        with self.segmenter.anchor(), torch.no_grad():
            features = self.segmenter.encode(batch.weak)
            source = self.segmenter.decode(features, batch.prompts, batch.image_index).logits
        return weighted_mean((branches.student_weak.logits - source) ** 2, self.confident(branches, batch))


register(TribeSettings, Tribe)
