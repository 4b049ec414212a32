"""WeSAM's journal extension in our own formulation (preprints.org 202510.1640, 2025).

Original: only its abstract and introduction were at hand, and there is no public code. It keeps self-training and the
anchor, adds "patch-level contrastive regularization to reduce reliance on noisy pseudo labels" and "masked image
modeling ... that uses teacher-derived features and semantic alignment", for SAM and SAM 2, with weak labels and
without.

Carried over, as we read it: L_st and L_anchor as in the paper (`wesam`, as published). In place of L_con, whose regions
are pseudo-labels, the same patch in the student's strong view and in the teacher's weak view is the positive pair and
the image's other patches are the negatives. The student sees the strong view once more with half of its patches
hidden, and is to give the teacher's feature where it sees nothing, and the teacher's mean feature of each object.

Not carried over, as they are not known here: the loss's own formulas and weights (all 1 here), how patches are hidden,
a head that predicts (the student's own features are compared), and its pipeline that finds labels (`wesam` without
labels has one).
"""

from __future__ import annotations

from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from wesam.batches.batch import Batch
from wesam.losses.entropy import weighted_mean
from wesam.methods.anchor import AnchorBranch
from wesam.methods.base import Losses, Method, MethodSettings
from wesam.methods.branches import Branches, Taught
from wesam.methods.entries import Entries
from wesam.methods.formulation import PAPER
from wesam.methods.prototypes import on_feature_grid, prototypes
from wesam.methods.registry import register
from wesam.methods.term import Term, weighted_sum
from wesam.methods.wesam import WesamSettings, wesam_terms
from wesam.models.segmenter import Segmenter

_ANCHOR_BYTES = 2**29
_PATCHES = 256  # of an image that are contrasted at a step; all pairs of a large grid would not fit

#: The paper's self-training and anchor, and none of the rest.
_KEPT = WesamSettings(
    as_published=True,
    teacher="shared",
    contrastive_weight=0.0,
    student_prompt_weight=0.0,
    box_projection_weight=0.0,
    point_weight=0.0,
)


class WesamJournalSettings(MethodSettings):
    """What the extension can be told."""

    name: Literal["wesam-journal"] = "wesam-journal"

    patch_weight: float = Field(default=1.0, ge=0, description="of the contrast of patches")
    masked_weight: float = Field(default=1.0, ge=0, description="of the features of hidden patches")
    alignment_weight: float = Field(default=1.0, ge=0, description="of each object's mean feature, patches hidden")
    hidden: float = Field(default=0.5, gt=0, lt=1, description="fraction of patches that are hidden")
    temperature: float = Field(default=0.3, gt=0, description="of the contrast; that of the paper's L_con")


class WesamJournal(Method):
    """``L = L_st + L_anchor + L_patch + L_masked + L_align``; see the head of the file."""

    shown = ("total", "focal", "anchor", "patches", "masked")

    def __init__(self, segmenter: Segmenter, settings: WesamJournalSettings) -> None:
        super().__init__(segmenter, settings)
        self.knobs = settings
        entries = Entries(PAPER.background, PAPER.ignore_padding)
        self.anchor = AnchorBranch(entries, _ANCHOR_BYTES, PAPER.mask_choice)
        self.kept = wesam_terms(_KEPT, PAPER, entries)

    def losses(self, batch: Batch) -> Losses:
        """See `Method.losses`."""
        branches = Branches(
            self.segmenter,
            batch,
            anchor=lambda: self.anchor(self.segmenter, batch),
            teacher=lambda branches: Taught(branches.student_weak.logits.detach()),
            ignore_padding=PAPER.ignore_padding,
        )
        knobs = self.knobs
        terms = [
            *self.kept,
            Term("patches", knobs.patch_weight, "image", partial(patch_contrast, temperature=knobs.temperature)),
        ]
        if knobs.masked_weight or knobs.alignment_weight:
            seen, hidden = self.half_seen(branches, batch)
            terms += [
                Term("masked", knobs.masked_weight, "image", partial(hidden_distance, seen=seen, hidden=hidden)),
                Term("alignment", knobs.alignment_weight, "object", partial(object_distance, seen=seen)),
            ]
        return weighted_sum(terms, branches, batch)

    def half_seen(self, branches: Branches, batch: Batch) -> tuple[Tensor, Tensor]:
        """Features (B, C, g, g) of the strong view with patches hidden, and which, (B, g, g) in {0, 1}."""
        grid, side = branches.features_weak.pooled.shape[2], self.segmenter.input_size
        draws = torch.stack([torch.rand(grid, grid, generator=generator) for generator in batch.generators()])
        hidden = (draws < self.knobs.hidden).to(batch.strong.device)
        over = F.interpolate(hidden[:, None].float(), (side, side), mode="nearest")
        pixels = batch.strong * (1 - over)  # 0 is the mean colour
        valid = on_feature_grid(batch.valid, grid) > 0
        return self.segmenter.encode(pixels).pooled, (hidden & valid).float()


def patch_contrast(branches: Branches, batch: Batch, temperature: float) -> Tensor:
    """(B,) InfoNCE of patches (van den Oord et al. 2018, arXiv 1807.03748): the same place in both views is positive.

    Of each image up to 256 patches are drawn; those on padding neither ask nor answer.
    """
    student, teacher = branches.features_strong.pooled, branches.features_weak.pooled.detach()
    grid = student.shape[2]
    orders = [torch.randperm(grid * grid, generator=generator)[:_PATCHES] for generator in batch.generators()]
    drawn = torch.stack(orders).to(student.device)  # (B, K)
    valid = (on_feature_grid(batch.valid, grid) > 0).flatten(1).gather(1, drawn)
    places = drawn[:, None].expand(-1, student.shape[1], -1)
    queries, keys = (F.normalize(maps.float().flatten(2).gather(2, places), dim=1) for maps in (student, teacher))
    similarity = queries.transpose(1, 2) @ keys / temperature  # (B, K, K)
    # A row of nothing but -inf has a NaN for a gradient, so patches keep their own key; padding is dropped below.
    own = torch.eye(drawn.shape[1], dtype=torch.bool, device=student.device)
    everything = similarity.masked_fill(~(valid[:, None, :] | own), -torch.inf).logsumexp(2)
    loss = everything - similarity.diagonal(dim1=1, dim2=2)
    return (loss * valid).sum(1) / valid.sum(1).clamp_min(1)


def hidden_distance(branches: Branches, batch: Batch, seen: Tensor, hidden: Tensor) -> Tensor:
    """(B,) mean cosine distance, in [0, 2], to the teacher's features where patches were hidden.

    Args:
        branches: whose weak features are the teacher's.
        batch: of B images.
        seen: (B, C, g, g) features of the half hidden view.
        hidden: (B, g, g) in {0, 1}.
    """
    teacher = branches.features_weak.pooled.detach()
    return weighted_mean(1 - F.cosine_similarity(seen.float(), teacher.float(), dim=1), hidden)


def object_distance(branches: Branches, batch: Batch, seen: Tensor) -> Tensor:
    """(N,) cosine distance of each object's mean feature to the teacher's; 0 where the pseudo-label is empty."""
    teacher = branches.features_weak.pooled.detach()
    weights = on_feature_grid(branches.pseudo_labels, teacher.shape[2])
    own, taught = (prototypes(maps, batch.image_index, weights) for maps in (seen, teacher))
    return weights.flatten(1).any(1) * (1 - (own * taught).sum(1))


register(WesamJournalSettings, WesamJournal)
