"""What a box says about a mask: it touches all four sides and stays inside."""

from __future__ import annotations

import torch
from torch import Tensor

# Where nothing is left to compare (a box narrower than a cell, with slack) the loss is 0, not 1.
_TINY = 1e-6


def projection_loss(logits: Tensor, boxes: Tensor, slack: float = 0.0) -> Tensor:
    """Projection loss of each instance (BoxInst; Tian et al., CVPR 2021, arXiv 2012.02310).

    The largest probability of each row and of each column is compared with the box's own projection by the Dice
    loss with squares, ``1 - 2 sum p t / (sum p^2 + sum t^2)``; the two are added.

    Args:
        logits: mask logits, (N, m, m).
        boxes: (N, 4) xyxy in cells of the mask grid; a cell that a box covers in part has that share as target, of a
            box that covers no cell wholly the share of its fullest cell. NaN rows (no box) are allowed.
        slack: rows and columns whose centre is nearer to an edge than this share of the box's side are not
            compared, since people draw sloppily. Not in the paper, which is 0.

    Returns:
        (N,) losses in [0, 2]; 0 where there is no box.

    Raises:
        ValueError: if the shapes do not fit.
    """
    if logits.ndim != 3 or boxes.shape != (len(logits), 4):
        raise ValueError(f"expected logits (N, m, m) and boxes (N, 4), got {tuple(logits.shape)}, {tuple(boxes.shape)}")
    known = ~boxes.isnan().any(1)
    x0, y0, x1, y1 = boxes.nan_to_num().float().unbind(1)
    probabilities = logits.float().sigmoid()
    columns = _squared_dice(probabilities.amax(1), x0, x1, slack)
    rows = _squared_dice(probabilities.amax(2), y0, y1, slack)
    return torch.where(known, columns + rows, 0.0)


def interval_cover(start: Tensor, end: Tensor, cells: int) -> Tensor:
    """The share of each cell that each interval covers.

    Args:
        start, end: (N,) in cells.
        cells: m, the number of cells of an axis; cell k spans [k, k + 1].

    Returns:
        (N, m) in [0, 1].
    """
    left = torch.arange(cells, device=start.device, dtype=start.dtype)
    return (torch.minimum(end[:, None], left + 1) - torch.maximum(start[:, None], left)).clamp(0, 1)


def _squared_dice(projection: Tensor, start: Tensor, end: Tensor, slack: float) -> Tensor:
    """(N,) for projections (N, m) and intervals (N,); 0 where they are equal, also if a cell is covered in part."""
    cells = projection.shape[1]
    centre = torch.arange(cells, device=start.device, dtype=start.dtype) + 0.5
    nearest = torch.minimum((centre - start[:, None]).abs(), (centre - end[:, None]).abs())
    compared = (nearest >= slack * (end - start)[:, None]).float()
    cover = interval_cover(start, end, cells)
    # A box narrower than a cell, or over parts of two, would otherwise ask for a mask below 1/2: for none at all.
    cover = cover / cover.amax(1, keepdim=True).clamp_min(_TINY)
    p, t = compared * projection, compared * cover
    total = (p * p).sum(1) + (t * t).sum(1)
    return 1 - (2 * (p * t).sum(1) + _TINY) / (total + _TINY)
