"""Losses as terms: a weight, what its mean is over, and a function of what the branches say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from wesam.batches.batch import Batch
from wesam.losses.reduce import image_mean
from wesam.methods.base import Losses
from wesam.methods.branches import Branches
from wesam.methods.formulation import FOCAL_WEIGHT, PAPER
from wesam.methods.terms.masks import masks


@dataclass(frozen=True)
class Term:
    """One loss of a method.

    Attributes:
        name: of the loss in metrics.
        weight: its factor in the total; a term of weight 0 is never computed.
        per: what `fn` gives one value for: each of N objects (the mean is over the objects of an image, then over
            images), each of B images, or the batch.
        fn: from the branches and the batch to (N,), (B,) or () values, at least 0.
        with_masks: whether a term per object teaches objects, too, whose mask is known.
    """

    name: str
    weight: float
    per: Literal["object", "image", "batch"]
    fn: Callable[[Branches, Batch], Tensor]
    with_masks: bool = False


def mask_terms(alpha: float = PAPER.focal_alpha, prefix: str = "") -> tuple[Term, ...]:
    """SAM's own loss, ``20 focal + dice + mse_iou``, for objects whose mask is known.

    Args:
        alpha: weight of a mask's pixels in the focal loss.
        prefix: of the terms' names.
    """
    return (
        Term(f"{prefix}focal", FOCAL_WEIGHT, "object", partial(masks, part="focal", alpha=alpha), with_masks=True),
        Term(f"{prefix}dice", 1.0, "object", partial(masks, part="dice", alpha=alpha), with_masks=True),
        Term(f"{prefix}iou", 1.0, "object", partial(masks, part="iou", alpha=alpha), with_masks=True),
    )


_BESIDE = mask_terms(prefix="mask_")


def weighted_sum(terms: Sequence[Term], branches: Branches, batch: Batch, beside: Sequence[Term] = _BESIDE) -> Losses:
    """The total of the terms with its graph, and each computed term's unweighted mean without one.

    Where a run has masks beside weaker labels, its mask teaches an object that has one, whatever the method, which
    goes on as before with the others.

    Args:
        terms: of the method.
        branches, batch: what they look at.
        beside: further terms where the batch carries masks.
    """
    losses: Losses = {}
    total = batch.weak.new_zeros(())
    for term in terms if batch.masks is None else (*terms, *beside):
        if term.weight == 0:
            continue
        values = term.fn(branches, batch)
        if term.per == "object":
            if batch.masks is not None and not term.with_masks:
                values = torch.where(branches.known, 0.0, values)
            loss = image_mean(values, batch.image_index, len(batch))
        else:
            loss = values.mean()
        total = total + term.weight * loss
        losses[term.name] = loss.detach()
    if not total.requires_grad:
        # No label of this batch says anything to these terms: a step of gradient zero, not an error.
        total = total + 0 * branches.student_strong.logits.sum()
    return {"total": total, **losses}
