"""DePT: learned prompt vectors, and pseudo-labels refined by a bank (Gao et al., ICLR 2023, arXiv 2210.04831).

Original: prompt tokens in the stages of a frozen ViT and the head learn. A teacher (moving average, 0.99) gives
labels, each the mean of those of the 10 nearest samples in a bank of features; ``+ 0.1`` DINO between the class
tokens of teacher and student, ``+ 0.1`` the same for the prompt tokens, ``+ 1`` diversity of the mean prediction.
SGD, 5e-3.

Carried over: vectors added to what enters each block of the encoder learn, and nothing else. The bank
holds the mean feature of each object seen lately and of what was around it; a cell's refined probability is the mean
of the teacher's and of the share of objects among the 10 bank entries nearest to its feature. The student on the
strong view learns it; ``+ 0.1`` the cosine distance between the teacher's and the student's mean feature of each
object stands for DINO's class token; ``+ 1`` the diversity of the mean foreground share in the padded box.

Not carried over: vectors are added to tokens, not set beside them, as SAM's window attention and relative positions
take no further token; so there is no output of a prompt token to hold consistent. DINO's projection head, which is
trained on source data. The head: the decoder stays frozen, as for all methods here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from wesam.batches.batch import Batch
from wesam.losses.entropy import LN2, entropy_of_share, weighted_mean
from wesam.methods.base import Losses, Method, MethodSettings
from wesam.methods.branches import Branches
from wesam.methods.ema import EmaAdapter
from wesam.methods.prototypes import on_feature_grid, prototypes
from wesam.methods.regions import around, object_boxes
from wesam.methods.registry import register
from wesam.methods.term import Term, weighted_sum
from wesam.models.segmenter import Segmenter

_BANK = 512  # objects, and as many surroundings


class DeptSettings(MethodSettings):
    """What DePT can be told."""

    name: Literal["dept"] = "dept"

    ema_decay: float = Field(default=0.99, ge=0, lt=1, description="fraction of the teacher that a step keeps")
    neighbours: int = Field(default=10, ge=1, description="bank entries that refine a cell; original: 10")
    feature_weight: float = Field(default=0.1, ge=0, description="of the distance between mean features; original: 0.1")
    diversity_weight: float = Field(default=1.0, ge=0, description="of ln 2 - H(mean p); original: 1")
    margin: float = Field(default=0.5, ge=0, description="by which a box is padded, as a fraction of its sides")


@dataclass(frozen=True)
class Taught:
    """What the teacher says to a batch.

    Attributes:
        target: (N, m, m) refined probability.
        region: (N, m, m) float: cells of the image inside each object's padded box.
        inside: (N, g, g) the teacher's probability within the region, on the feature grid.
        means: (N, C) its mean feature of each object, of length 1.
    """

    target: Tensor
    region: Tensor
    inside: Tensor
    means: Tensor


class Dept(Method):
    """``L = BCE(p_strong, refined) + 0.1 (1 - cos(z_strong, z_teacher)) + (ln 2 - H(mean p_strong))``."""

    update: ClassVar[Mapping[str, Any]] = {"kind": "prompt-tokens"}
    shown = ("total", "self_training", "features", "diversity")
    objects: Tensor
    surroundings: Tensor

    def __init__(self, segmenter: Segmenter, settings: DeptSettings) -> None:
        super().__init__(segmenter, settings)
        self.knobs = settings
        self.ema = EmaAdapter(segmenter, settings.ema_decay)
        side, device = segmenter.input_size, next(segmenter.parameters()).device
        with torch.no_grad():  # how many channels a family's features have, it alone knows
            channels = segmenter.encode(torch.zeros(1, 3, side, side, device=device)).pooled.shape[1]
        self.register_buffer("objects", torch.full((_BANK, channels), torch.nan))
        self.register_buffer("surroundings", torch.full((_BANK, channels), torch.nan))

    def losses(self, batch: Batch) -> Losses:
        """See `Method.losses`."""
        taught = self.teach(batch)
        terms = (
            Term("self_training", 1.0, "object", partial(self_training, taught=taught)),
            Term("features", self.knobs.feature_weight, "object", partial(feature_distance, taught=taught)),
            Term("diversity", self.knobs.diversity_weight, "object", partial(diversity, taught=taught)),
        )
        return weighted_sum(terms, Branches(self.segmenter, batch), batch)

    @torch.no_grad()
    def teach(self, batch: Batch) -> Taught:
        """The teacher's masks, refined by the bank; its mean features enter the bank first."""
        with self.ema.teaching(self.segmenter):
            features = self.segmenter.encode(batch.weak)
            logits = self.segmenter.decode(features, batch.prompts, batch.image_index).logits
        maps, grid = features.pooled.float(), self.segmenter.mask_grid
        boxes = object_boxes(batch, self.segmenter, logits > 0)
        region = around(boxes, grid, self.knobs.margin) * batch.valid[batch.image_index]
        p = logits.float().sigmoid()
        inside, outside = (on_feature_grid(part * region, maps.shape[2]) for part in (p, 1 - p))
        means, rest = (prototypes(maps, batch.image_index, part) for part in (inside, outside))
        for bank, new in ((self.objects, means), (self.surroundings, rest)):
            bank.copy_(torch.cat([new, bank])[:_BANK])
        share = neighbour_share(maps, self.objects, self.surroundings, self.knobs.neighbours)
        share = F.interpolate(share[:, None], (grid, grid), mode="bilinear")[:, 0][batch.image_index]
        # Far from the object the neighbours speak of other objects, so there the teacher's word stands alone.
        return Taught(torch.where(region > 0, (p + share) / 2, p), region, inside, means)

    def after_step(self) -> None:
        self.ema.update(self.segmenter)


def neighbour_share(features: Tensor, objects: Tensor, surroundings: Tensor, neighbours: int) -> Tensor:
    """What fraction of the bank entries nearest to each cell's feature, by cosine, are objects.

    Args:
        features: (B, C, g, g).
        objects, surroundings: (K, C) of length 1; NaN rows are empty.
        neighbours: how many are asked; fewer where the bank holds fewer.

    Returns:
        (B, g, g) in [0, 1].
    """
    filled = ~objects.isnan().any(1)
    bank = torch.cat([objects[filled], surroundings[filled]])
    is_object = torch.arange(len(bank), device=bank.device) < int(filled.sum())
    cells = F.normalize(features.float(), dim=1).permute(0, 2, 3, 1)  # (B, g, g, C)
    nearest = (cells @ bank.T).topk(min(neighbours, len(bank)), dim=3).indices
    return is_object[nearest].float().mean(3)


def self_training(branches: Branches, batch: Batch, taught: Taught) -> Tensor:
    """(N,) cross-entropy of the student with the refined probability."""
    logits = branches.student_strong.logits.float()
    loss = F.binary_cross_entropy_with_logits(logits, taught.target, reduction="none")
    return weighted_mean(loss, branches.weight)


def feature_distance(branches: Branches, batch: Batch, taught: Taught) -> Tensor:
    """(N,) cosine distance between the teacher's mean feature of an object and the student's, in [0, 2]."""
    own = prototypes(branches.features_strong.pooled, batch.image_index, taught.inside)
    return 1 - (own * taught.means).sum(1)


def diversity(branches: Branches, batch: Batch, taught: Taught) -> Tensor:
    """(N,) by how much the entropy of the mean foreground share falls short of the largest."""
    return LN2 - entropy_of_share(weighted_mean(branches.student_strong.logits.float().sigmoid(), taught.region))


register(DeptSettings, Dept)
