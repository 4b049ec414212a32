"""What a box says about a mask: it touches all four sides and stays inside."""

from __future__ import annotations

import torch
from torch import Tensor


def projection_loss(logits: Tensor, boxes: Tensor) -> Tensor:
    """Projection loss of each instance (BoxInst; Tian et al., CVPR 2021, arXiv 2012.02310, eq. 1).

    The largest probability of each row and of each column is compared with the box's own projection by the Dice
    loss with squares, ``1 - 2 sum p t / (sum p^2 + sum t^2)``; the two are added.

    Args:
        logits: mask logits, (N, m, m).
        boxes: (N, 4) xyxy in cells of the mask grid; a cell that a box covers in part has that share as target.
            NaN rows (no box) are allowed.

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
    columns = _squared_dice(probabilities.amax(1), interval_cover(x0, x1, logits.shape[2]))
    rows = _squared_dice(probabilities.amax(2), interval_cover(y0, y1, logits.shape[1]))
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


def _squared_dice(p: Tensor, t: Tensor) -> Tensor:
    """(N,) for (N, m); 0 where p equals t, also if t is fractional."""
    overlap = (p * t).sum(1)
    total = (p * p).sum(1) + (t * t).sum(1)
    return 1 - 2 * overlap / total.clamp_min(1e-6)
