"""TENT: the entropy of the answer falls, and normalisation alone learns (Wang et al., ICLR 2021, arXiv 2006.10726).

Original: ``min over (gamma, beta) of H(y) = -sum_c p_c log p_c`` on test images, where gamma and beta are the
scale and shift of BatchNorm, whose statistics are those of the test batch. Adam, 1e-3, no decay.

Carried over: nothing but the encoder's normalisation layers learns; the loss is the Bernoulli entropy of each cell of
the mask, mean over the image's cells, then over objects and images, on the weak view. A family with BatchNorm has the
original's statistics too.

Not carried over: SAM has no BatchNorm, so LayerNorm's scale and shift stand for it; there is no statistic of the test
batch to renew then. The published comparison of WeSAM's authors took the entropy of a softmax over the pixels of a
mask, which falls when a mask shrinks to a point: that is `over = "mask"`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, Literal

from pydantic import Field
from torch import Tensor

from wesam.batches.batch import Batch
from wesam.losses.entropy import bernoulli_entropy, pixel_softmax_entropy, weighted_mean
from wesam.methods.base import Losses, Method, MethodSettings
from wesam.methods.branches import Branches
from wesam.methods.registry import register
from wesam.methods.term import Term, weighted_sum
from wesam.models.segmenter import Segmenter

Over = Literal["cell", "mask"]


class TentSettings(MethodSettings):
    """What TENT can be told."""

    name: Literal["tent"] = "tent"

    over: Over = Field(
        default="cell",
        description="cell: in or out, for each cell of a mask; mask: a softmax over the cells of a mask, as WeSAM's "
        "authors once had it",
    )


class Tent(Method):
    """``L = H(y_weak)``; normalisation layers learn."""

    update: ClassVar[Mapping[str, Any]] = {"kind": "norms", "renew_statistics": True}
    shown = ("total", "entropy")

    def __init__(self, segmenter: Segmenter, settings: TentSettings) -> None:
        super().__init__(segmenter, settings)
        self.terms = (Term("entropy", 1.0, "object", partial(entropy, over=settings.over)),)

    def losses(self, batch: Batch) -> Losses:
        """See `Method.losses`."""
        return weighted_sum(self.terms, Branches(self.segmenter, batch), batch)


def entropy(branches: Branches, batch: Batch, over: Over) -> Tensor:
    """(N,) entropy of the student's masks on the weak view."""
    logits = branches.student_weak.logits
    if over == "mask":
        return pixel_softmax_entropy(logits)
    return weighted_mean(bernoulli_entropy(logits), branches.weight)


register(TentSettings, Tent)
