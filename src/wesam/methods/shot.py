"""SHOT: sure and balanced answers, and labels from feature centroids (Liang et al., ICML 2020, arXiv 2002.08546).

Original: the classifier head is frozen; ``L = E H(p) - H(E p) + 0.3 CE(p, y)``, with y the class of the
nearest centroid of features by cosine; centroids are weighted by soft predictions, then by the labels that these gave
and are renewed 15 times a run. SGD, 1e-2.

Carried over: the decoder is frozen and the encoder's update learns. The two classes are an object and what is around
it. For each object the features inside a padded box have two centroids; each cell is relabelled by the nearer one,
with the weights as they were at the last of 15 renewals. The entropy is that of cells inside the padded box, and the
diversity term is that of the mean foreground share there. All on the weak view, as the original knows no
augmentation.

Not carried over: centroids are an object's own, not the data set's, since "object" is no class that two images share.
The run's optimiser stands for SGD.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from wesam.batches.batch import Batch
from wesam.losses.entropy import LN2, bernoulli_entropy, entropy_of_share, weighted_mean
from wesam.methods.base import Losses, Method, MethodSettings
from wesam.methods.branches import Branches
from wesam.methods.ema import EmaAdapter
from wesam.methods.prototypes import on_feature_grid, relabelled
from wesam.methods.regions import around, object_boxes
from wesam.methods.registry import register
from wesam.methods.term import Term, weighted_sum
from wesam.models.segmenter import Segmenter


class ShotSettings(MethodSettings):
    """What SHOT can be told."""

    name: Literal["shot"] = "shot"

    diversity_weight: float = Field(default=1.0, ge=0, description="of ln 2 - H(mean p); original: 1")
    label_weight: float = Field(default=0.3, ge=0, description="of the cross-entropy with centroid labels")
    renewals: int = Field(default=15, ge=1, description="of the weights that give labels, in a run; original: 15")
    margin: float = Field(default=0.5, ge=0, description="by which a box is padded, as a fraction of its sides")


class Shot(Method):
    """``L = H(p) + w_div (ln 2 - H(mean p)) + w_label BCE(p, centroid labels)`` inside the padded box."""

    shown = ("total", "entropy", "diversity", "labels")
    renewed: Tensor

    def __init__(self, segmenter: Segmenter, settings: ShotSettings) -> None:
        super().__init__(segmenter, settings)
        self.knobs = settings
        self.labeller = EmaAdapter(segmenter, 0.0)  # an average that forgets all is a copy
        self.register_buffer("renewed", torch.zeros((), dtype=torch.long))
        self.terms = (
            Term("entropy", 1.0, "object", self.entropy),
            Term("diversity", settings.diversity_weight, "object", self.diversity),
            Term("labels", settings.label_weight, "object", self.labels),
        )

    def losses(self, batch: Batch) -> Losses:
        """See `Method.losses`."""
        return weighted_sum(self.terms, Branches(self.segmenter, batch), batch)

    def region(self, branches: Branches, batch: Batch) -> Tensor:
        """(N, m, m) float: cells of the image inside the padded box of each object."""
        boxes = object_boxes(batch, self.segmenter, branches.student_weak.logits.detach() > 0)
        inside = around(boxes, self.segmenter.mask_grid, self.knobs.margin)
        return inside * batch.valid[batch.image_index]

    def entropy(self, branches: Branches, batch: Batch) -> Tensor:
        """(N,) mean entropy of cells."""
        return weighted_mean(bernoulli_entropy(branches.student_weak.logits), self.region(branches, batch))

    def diversity(self, branches: Branches, batch: Batch) -> Tensor:
        """(N,) by how much the entropy of the mean foreground share falls short of the largest."""
        share = weighted_mean(branches.student_weak.logits.float().sigmoid(), self.region(branches, batch))
        return LN2 - entropy_of_share(share)

    def labels(self, branches: Branches, batch: Batch) -> Tensor:
        """(N,) cross-entropy with the labels that centroids give."""
        region = self.region(branches, batch)
        with self.labeller.teaching(self.segmenter):
            features = self.segmenter.encode(batch.weak)
            logits = self.segmenter.decode(features, batch.prompts, batch.image_index).logits
        grid = features.pooled.shape[2]
        probability, near = (on_feature_grid(maps, grid) for maps in (logits.float().sigmoid(), region))
        coarse = relabelled(features.pooled, batch.image_index, probability, near)
        target = F.interpolate(coarse[:, None], logits.shape[1:], mode="nearest")[:, 0]
        loss = F.binary_cross_entropy_with_logits(branches.student_weak.logits.float(), target, reduction="none")
        return weighted_mean(loss, region)

    def after_step(self) -> None:
        due = int(self.progress * self.knobs.renewals)
        if due > int(self.renewed):
            self.renewed.fill_(due)
            self.labeller.update(self.segmenter)


register(ShotSettings, Shot)
