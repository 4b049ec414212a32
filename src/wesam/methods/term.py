"""Losses as terms: a weight, what its mean is over, and a function of what the branches say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from wesam.batches.batch import Batch
from wesam.losses.reduce import image_mean
from wesam.methods.base import Losses
from wesam.methods.branches import Branches


@dataclass(frozen=True)
class Term:
    """One loss of a method.

    Attributes:
        name: of the loss in metrics.
        weight: its factor in the total; a term of weight 0 is never computed.
        per: what `fn` gives one value for: each of N objects (the mean is over the objects of an image, then over
            images), each of B images, or the batch.
        fn: from the branches and the batch to (N,), (B,) or () values, at least 0.
    """

    name: str
    weight: float
    per: Literal["object", "image", "batch"]
    fn: Callable[[Branches, Batch], Tensor]


def weighted_sum(terms: Sequence[Term], branches: Branches, batch: Batch) -> Losses:
    """The total of the terms with its graph, and each computed term's unweighted mean without one."""
    losses: Losses = {}
    total = batch.weak.new_zeros(())
    for term in terms:
        if term.weight == 0:
            continue
        values = term.fn(branches, batch)
        loss = image_mean(values, batch.image_index, len(batch)) if term.per == "object" else values.mean()
        total = total + term.weight * loss
        losses[term.name] = loss.detach()
    if not total.requires_grad:
        # No label of this batch says anything to these terms: a step of gradient zero, not an error.
        total = total + 0 * branches.student_strong.logits.sum()
    return {"total": total, **losses}
