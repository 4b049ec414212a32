"""Positive points lie on the object, negative ones off it (Bearman et al. 2016, arXiv 1506.02106)."""

from __future__ import annotations

import torch
from torch import Tensor

from wesam.batches.batch import Batch
from wesam.losses.partial import partial_cross_entropy
from wesam.methods.branches import Branches
from wesam.methods.sampling import values_at
from wesam.types import BACKGROUND, FOREGROUND, NOT_A_POINT


def points(branches: Branches, batch: Batch) -> Tensor:
    """(N,) cross-entropy of the student on the strong view at the label's points, and at those of its neighbours."""
    return point_loss(branches.student_strong.logits, batch, branches.segmenter.input_size)


def point_loss(logits: Tensor, batch: Batch, input_size: int) -> Tensor:
    """See `losses.partial`; the positives of an image's other objects are negatives (`with_points_of_others`).

    Args:
        logits: mask logits, (N, m, m) over the whole padded input.
        batch: whose prompts hold the points.
        input_size: side of the input frame, in pixels.

    Returns:
        (N,) losses; 0 where neither a label nor its neighbours have points.
    """
    if batch.prompts.points is None:
        return logits.new_zeros(len(logits))
    points, labels = with_points_of_others(batch, input_size / logits.shape[2])
    sampled = values_at(logits, points, input_size, "bilinear")
    return partial_cross_entropy(sampled, labels.float(), labels != NOT_A_POINT)


def with_points_of_others(batch: Batch, cell: float) -> tuple[Tensor, Tensor]:
    """The points of each object, and behind them the positives of the image's other objects as its negatives.

    Objects may lie within one another (a nucleus in its cell), and then the inner one's click is on the outer one,
    too. So a click of another object says nothing about this one where this one's own label might hold it: in its box,
    in its outline, or within a cell of one of its own positives. Objects that have nothing but clicks and are nested
    cannot be told from ones that touch: such sets want `point_weight` 0, which is the default.

    Args:
        batch: N prompts, with points.
        cell: side of a cell of the mask grid, in pixels of the input frame.

    Returns:
        points (N, P + Q, 2) in the input frame and labels (N, P + Q), for the Q positives of the whole batch;
        `NOT_A_POINT` where nothing is said.

    Raises:
        ValueError: if the batch has no points.
    """
    points, labels = batch.prompts.points, batch.prompts.point_labels
    if points is None or labels is None:
        raise ValueError("expected a batch with points, got one without")
    owner, slot = (labels == FOREGROUND).nonzero(as_tuple=True)
    positives = points[owner, slot].float()  # (Q, 2)
    own = owner[None] == torch.arange(len(labels), device=labels.device)[:, None]  # (N, Q)
    near = torch.cdist(positives, positives) <= cell
    held = (own.float() @ near.float()) > 0
    every = positives[None].expand(len(labels), -1, -1)
    if batch.prompts.boxes is not None:
        x0, y0, x1, y1 = batch.prompts.boxes[:, :, None].unbind(1)  # comparisons with NaN are false: no box, no claim
        x, y = every.unbind(2)
        held = held | ((x0 <= x) & (x < x1) & (y0 <= y) & (y < y1))
    if batch.outlines is not None:
        held = held | (values_at(batch.outlines, every, cell * batch.outlines.shape[2], "nearest") > 0)
    said = (batch.image_index[owner][None] == batch.image_index[:, None]) & ~own & ~held
    negatives = torch.where(said, BACKGROUND, NOT_A_POINT)
    return torch.cat([points.float(), every], 1), torch.cat([labels, negatives], 1)
