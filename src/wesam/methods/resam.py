"""ReSAM: a click's mask is refined, its box asks again, features are aligned (Subhani 2025, arXiv 2511.21606).

Original, read from the abstract and the author's public code (numbers of equations are not known here). Refine: of the
masks that clicks give on the weak view, cells are kept with ``p (1 - H) > 0.3``, H the entropy as a fraction of ln 2;
cells that two objects claim are dropped. Requery: the smallest box around what is left prompts the network again, on
the weak view, and that mask is the pseudo-label. Reinforce: the student on the strong view, prompted with the clicks,
learns it by 20 focal + Dice; + 0.1 of a soft alignment, in which a feature pooled in the object's box is drawn to those
in a queue of 32, ``sum_j softmax_j(cos_j / 0.07) (1 - cos_j)`` with cosines below 0 set to 0. LoRA; one set of weights
for both views.

Carried over: all three. A label that has a box keeps it, as what is asked again is meant to find one; such labels leave
plain self-training over. An object of which refining leaves nothing teaches nothing at that step. The focal loss weighs
both sides alike, as in the WeSAM code that the original builds on.

Not carried over: in the public code both sides of the alignment are constants, so that it moves nothing; here the
student's feature has a gradient and the queue holds the teacher's, as the text describes it.
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
from wesam.losses.dice import dice_loss
from wesam.losses.entropy import LN2, bernoulli_entropy
from wesam.losses.focal import focal_loss
from wesam.losses.reduce import membership
from wesam.methods.base import Losses, Method, MethodSettings
from wesam.methods.branches import Branches
from wesam.methods.formulation import FOCAL_WEIGHT
from wesam.methods.prototypes import on_feature_grid, prototypes
from wesam.methods.regions import around, object_boxes
from wesam.methods.registry import register
from wesam.methods.term import Term, weighted_sum
from wesam.models.segmenter import Segmenter
from wesam.types import Prompts

_QUEUE = 32
_TEMPERATURE = 0.07


class ResamSettings(MethodSettings):
    """What ReSAM can be told."""

    name: Literal["resam"] = "resam"

    confident: float = Field(default=0.3, ge=0, lt=1, description="p (1 - H) from which a cell counts; original: 0.3")
    alignment_weight: float = Field(default=0.1, ge=0, description="of the soft alignment; original: 0.1")


@dataclass(frozen=True)
class Taught:
    """What asking again says to a batch.

    Attributes:
        masks: (N, m, m) bool pseudo-labels.
        found: (N,) bool: whether refining left anything, or the label has a box.
        boxes: (N, g, g) weights of the cells of the feature grid in each object's box.
    """

    masks: Tensor
    found: Tensor
    boxes: Tensor


class Resam(Method):
    """``L = 20 focal(p_strong, t) + dice(p_strong, t) + 0.1 L_align`` with t the mask of the refined box."""

    shown = ("total", "focal", "dice", "alignment")
    queue: Tensor

    def __init__(self, segmenter: Segmenter, settings: ResamSettings) -> None:
        super().__init__(segmenter, settings)
        self.knobs = settings
        side, device = segmenter.input_size, next(segmenter.parameters()).device
        with torch.no_grad():  # how many channels a family's features have, it alone knows
            channels = segmenter.encode(torch.zeros(1, 3, side, side, device=device)).pooled.shape[1]
        self.register_buffer("queue", torch.full((_QUEUE, channels), torch.nan))

    def losses(self, batch: Batch) -> Losses:
        """See `Method.losses`."""
        taught = self.teach(batch)
        terms = (
            Term("focal", FOCAL_WEIGHT, "object", partial(focal, taught=taught)),
            Term("dice", 1.0, "object", partial(dice, taught=taught)),
            Term("alignment", self.knobs.alignment_weight, "object", partial(self.alignment, taught=taught)),
        )
        return weighted_sum(terms, Branches(self.segmenter, batch), batch)

    @torch.no_grad()
    def teach(self, batch: Batch) -> Taught:
        """Refines, asks again, and puts the features of what was found into the queue."""
        grid, index = self.segmenter.mask_grid, batch.image_index
        features = self.segmenter.encode(batch.weak)
        logits = self.segmenter.decode(features, batch.prompts, index).logits
        kept = refined(logits, index, len(batch), self.knobs.confident) & (batch.valid[index] > 0)
        boxes = object_boxes(batch, self.segmenter, kept)
        found = kept.flatten(1).any(1)
        if batch.prompts.boxes is not None:
            found = found | ~batch.prompts.boxes.isnan().any(1)
        again = Prompts(boxes=boxes * (self.segmenter.input_size / grid))
        masks = self.segmenter.decode(features, again, index).logits > 0
        inside = on_feature_grid(around(boxes, grid, 0.0) * batch.valid[index], features.pooled.shape[2])
        new = prototypes(features.pooled, index, inside)[found]
        self.queue.copy_(torch.cat([new, self.queue])[:_QUEUE])
        return Taught(masks, found, inside)

    def alignment(self, branches: Branches, batch: Batch, taught: Taught) -> Tensor:
        """(N,) soft alignment of the student's features with the queue; 0 for objects that were not found."""
        own = prototypes(branches.features_strong.pooled, batch.image_index, taught.boxes)
        return taught.found * soft_alignment(own, self.queue[~self.queue.isnan().any(1)])


def refined(logits: Tensor, image_index: Tensor, images: int, confident: float) -> Tensor:
    """Cells that one object of an image, and no other, claims with confidence: (N, m, m) bool.

    Args:
        logits: (N, m, m).
        image_index: (N,) int64.
        images: B.
        confident: ``p (1 - H)`` above which a cell is claimed, H as a fraction of ln 2.
    """
    claimed = logits.float().sigmoid() * (1 - bernoulli_entropy(logits) / LN2) > confident
    counts = membership(image_index, images).float() @ claimed.flatten(1).float()  # (B, m m)
    return claimed & (counts[image_index].reshape(claimed.shape) == 1)


def soft_alignment(features: Tensor, queue: Tensor) -> Tensor:
    """(N,) cosine distance to the entries of a queue, the nearer ones weighing more; 0 where the queue is empty.

    Args:
        features: (N, C) of length 1.
        queue: (Q, C) of length 1.
    """
    if len(queue) == 0:
        return 0 * features.sum(1)
    near = (features @ queue.T).clamp_min(0)
    return ((1 - near) * F.softmax(near / _TEMPERATURE, 1)).sum(1)


def focal(branches: Branches, batch: Batch, taught: Taught) -> Tensor:
    """(N,) focal loss; 0 for objects that were not found."""
    return taught.found * focal_loss(branches.student_strong.logits, taught.masks, branches.weight)


def dice(branches: Branches, batch: Batch, taught: Taught) -> Tensor:
    """(N,) Dice loss; 0 for objects that were not found."""
    return taught.found * dice_loss(branches.student_strong.logits, taught.masks, branches.weight)


register(ResamSettings, Resam)
