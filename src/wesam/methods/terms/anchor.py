"""L_anchor: the student stays near the source model's masks (WeSAM, arXiv 2312.03502, section 3)."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from wesam.batches.batch import Batch
from wesam.losses.dice import dice_loss
from wesam.losses.focal import focal_loss
from wesam.methods.branches import Branches

#: Views on which the student is held to the source model. One costs a pass of the student less.
AnchorViews = Literal["both", "strong"]


def dice(branches: Branches, batch: Batch, views: AnchorViews) -> Tensor:
    """(N,) the paper's ``dice(p_strong, a) / 2 + dice(p_weak, a) / 2``; on the strong view alone its half."""
    return sum_of_halves([dice_loss(x, branches.anchor.masks, branches.weight) for x in _students(branches, views)])


def focal(branches: Branches, batch: Batch, views: AnchorViews, scale: float, alpha: float) -> Tensor:
    """(N,) the same with `scale` times the focal loss of `alpha` in Dice's place, which does not let masks grow."""
    return sum_of_halves(
        [scale * focal_loss(x, branches.anchor.masks, branches.weight, alpha) for x in _students(branches, views)]
    )


def sum_of_halves(distances: list[Tensor]) -> Tensor:
    """So that what the strong view adds does not depend on whether the weak one is held too."""
    total = distances[0]
    for distance in distances[1:]:
        total = total + distance
    return 0.5 * total


def _students(branches: Branches, views: AnchorViews) -> list[Tensor]:
    strong = branches.student_strong.logits
    return [strong, branches.student_weak.logits] if views == "both" else [strong]
