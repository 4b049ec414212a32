"""What the weak label, beside being the prompt, says about the mask (METHOD section 7)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from wesam.batches.batch import Batch
from wesam.losses.partial import partial_cross_entropy
from wesam.losses.projection import interval_cover
from wesam.models.segmenter import Segmenter
from wesam.types import BACKGROUND, FOREGROUND, NOT_A_POINT


def boxes_on_grid(batch: Batch, segmenter: Segmenter) -> Tensor | None:
    """(N, 4) boxes in cells of the mask grid, NaN rows where a prompt has none; None if no prompt has one."""
    if batch.prompts.boxes is None:
        return None
    return batch.prompts.boxes * (segmenter.mask_grid / segmenter.input_size)


def within_boxes(masks: Tensor, boxes: Tensor, slack: float) -> Tensor:
    """Masks without what lies outside their boxes; a mask without a box stays as it is.

    Args:
        masks: (N, m, m) bool.
        boxes: (N, 4) xyxy in cells of the mask grid; NaN rows have no box.
        slack: by what share of its sides a box is stretched on each side first, since people draw sloppily.

    Returns:
        (N, m, m) bool.
    """
    x0, y0, x1, y1 = boxes.float().unbind(1)
    across, down = slack * (x1 - x0), slack * (y1 - y0)
    columns = interval_cover(x0 - across, x1 + across, masks.shape[2]) > 0
    rows = interval_cover(y0 - down, y1 + down, masks.shape[1]) > 0
    allowed = rows[:, :, None] & columns[:, None, :]
    return masks & (allowed | torch.isnan(boxes).any(1)[:, None, None])


def point_loss(logits: Tensor, batch: Batch, input_size: int, others: bool) -> Tensor:
    """Positive points lie on the object, negative ones off it (see `losses.partial`).

    Args:
        logits: mask logits, (N, m, m) over the whole padded input.
        batch: whose prompts hold the points.
        input_size: side of the input frame, in pixels.
        others: whether the positives of an image's other objects are negatives too (`with_points_of_others`).

    Returns:
        (N,) losses; 0 where a label has no points, except that with `others` those of its neighbours count.
    """
    points, labels = batch.prompts.points, batch.prompts.point_labels
    if points is None or labels is None:
        return logits.new_zeros(len(logits))
    if others:
        points, labels = with_points_of_others(batch, input_size / logits.shape[2])
    sampled = values_at(logits, points, input_size, "bilinear")
    return partial_cross_entropy(sampled, labels.float(), labels != NOT_A_POINT)


def with_points_of_others(batch: Batch, cell: float) -> tuple[Tensor, Tensor]:
    """The points of each object, and behind them the positives of the image's other objects as its negatives.

    Objects may lie within one another (a nucleus in its cell), and then the inner one's click is on the outer one,
    too. So a click of another object says nothing about this one where this one's own label might hold it: in its box,
    in its outline, or within a cell of one of its own positives. Objects that have nothing but clicks and are nested
    cannot be told from ones that touch: such sets want `points_of_others` off.

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


def outline_loss(logits: Tensor, outlines: Tensor, band: float) -> Tensor:
    """What is well inside a coarse mask is the object, what is well outside is not; between them nothing is said.

    Args:
        logits: mask logits, (N, m, m).
        outlines: (N, m, m) signed distances to the coarse mask's border in cells; NaN rows have no mask.
        band: half the width of the uncertain band, as a share of the object's size (the root of its area); at least
            one cell, which is all that a polygon on this grid can promise.

    Returns:
        (N,) losses; 0 where there is no mask.
    """
    distance = outlines.flatten(1)
    size = (distance > 0).sum(1, keepdim=True).sqrt()
    known = distance.abs() >= (band * size).clamp_min(1)
    return partial_cross_entropy(logits.flatten(1), (distance > 0).float(), known)


def values_at(maps: Tensor, points: Tensor, input_size: float, mode: str) -> Tensor:
    """Maps (N, m, m) over the padded input, read at points (N, K, 2) of the input frame: (N, K).

    A point is a pixel's index, so its place is half a pixel further, as in SAM's prompt encoder.
    """
    grid = 2 * (points.to(maps.dtype) + 0.5) / input_size - 1
    read = F.grid_sample(maps[:, None], grid[:, None], mode=mode, padding_mode="border", align_corners=False)
    return read[:, 0, 0]
