"""Which cells of the mask grid an object, or its label, speaks of."""

from __future__ import annotations

import torch
from torch import Tensor

from wesam.batches.batch import Batch
from wesam.losses.projection import interval_cover
from wesam.models.segmenter import Segmenter
from wesam.types import FOREGROUND, NOT_A_POINT


def tight_boxes(masks: Tensor) -> Tensor:
    """(N, 4) xyxy boxes, in cells, of masks (N, m, m) bool; an empty mask has the whole grid."""
    sides = []
    for occupied in (masks.any(1), masks.any(2)):  # columns, rows
        length = occupied.shape[1]
        first = occupied.int().argmax(1)
        last = length - occupied.flip(1).int().argmax(1)
        sides += [first, torch.where(occupied.any(1), last, torch.full_like(last, length))]
    return torch.stack([sides[0], sides[2], sides[1], sides[3]], 1).float()


def around(boxes: Tensor, grid: int, margin: float) -> Tensor:
    """(N, m, m) bool: cells touched by boxes whose sides are moved out by a fraction `margin` of their length.

    Args:
        boxes: (N, 4) xyxy in cells.
        grid: m.
        margin: 0 for the boxes themselves.
    """
    x0, y0, x1, y1 = boxes.float().unbind(1)
    across, down = margin * (x1 - x0), margin * (y1 - y0)
    columns = interval_cover(x0 - across, x1 + across, grid) > 0
    rows = interval_cover(y0 - down, y1 + down, grid) > 0
    return rows[:, :, None] & columns[:, None, :]


def object_boxes(batch: Batch, segmenter: Segmenter, masks: Tensor) -> Tensor:
    """(N, 4) in cells: the label's box, and where it has none that of a mask (N, m, m) bool."""
    own = tight_boxes(masks)
    if batch.prompts.boxes is None:
        return own
    given = batch.prompts.boxes.float() * (segmenter.mask_grid / segmenter.input_size)
    return torch.where(given.isnan(), own, given)


def certain(batch: Batch, segmenter: Segmenter) -> tuple[Tensor, Tensor]:
    """What the weak label says for certain: cells on the object, and cells off it, (N, m, m) bool each.

    Off it are all cells outside its box, those of its negative points, and padding; on it those of its positive points.
    """
    grid = segmenter.mask_grid
    count = len(batch.prompts)
    off = batch.valid[batch.image_index] == 0
    on = torch.zeros(count, grid, grid, dtype=torch.bool, device=off.device)
    if batch.prompts.boxes is not None:
        boxes = batch.prompts.boxes.float() * (grid / segmenter.input_size)
        known = ~boxes.isnan().any(1)
        off = off | (known[:, None, None] & ~around(boxes.nan_to_num(), grid, 0.0))
    if batch.prompts.points is not None and batch.prompts.point_labels is not None:
        labels = batch.prompts.point_labels
        cells = ((batch.prompts.points.float() + 0.5) * (grid / segmenter.input_size)).long().clamp(0, grid - 1)
        row, place = (labels != NOT_A_POINT).nonzero(as_tuple=True)
        x, y = cells[row, place].unbind(1)
        positive = labels[row, place] == FOREGROUND
        on[row[positive], y[positive], x[positive]] = True
        off[row[~positive], y[~positive], x[~positive]] = True
        off = off & ~on
    return on, off
