"""Weaker prompts drawn from masks on the grid: what a user might give for the same objects.

All draws come from a generator on the CPU, so that they are the same on every device.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from wesam.types import BACKGROUND, FOREGROUND, Prompts

# Most clicks of a kind (the trial behind docs/design-decisions.md drew 1 to 5 inside and 0 to 5 outside).
MOST_CLICKS = 5
# Standard deviation of a box's edges, as a fraction of its side, and their largest shift, in the same unit.
_JITTER, _LARGEST_JITTER = 0.1, 0.2
# A mask prompt is averaged over squares of so many cells a side, or it would give its own outline away.
_COARSE = 4


def random_clicks(masks: Tensor, valid: Tensor, cell: float, generator: torch.Generator) -> Prompts:
    """1 to 5 clicks at random inside each mask, and 0 to 5 outside it but on the image; the same number for all.

    Args:
        masks: (N, m, m) bool. For an empty mask all cells count as inside: the caller leaves it out.
        valid: (N, m, m), 1 on the image and 0 on padding.
        cell: side of a grid cell in pixels of the input frame.
        generator: of all draws.

    Returns:
        Prompts with points (N, P + Q, 2) in the input frame.
    """
    positives = int(torch.randint(1, MOST_CLICKS + 1, (), generator=generator))
    negatives = int(torch.randint(0, MOST_CLICKS + 1, (), generator=generator))
    inside = _random_cells(masks, positives, generator)
    outside = _random_cells(~masks & (valid > 0), negatives, generator)
    labels = [FOREGROUND] * positives + [BACKGROUND] * negatives
    return _clicks(torch.cat([inside, outside], 1), masks, cell, labels, generator)


def corrective_clicks(
    masks: Tensor, answers: Tensor, valid: Tensor, cell: float, generator: torch.Generator
) -> Prompts:
    """A click at random inside each mask, and one where the answer to it is wrong, with the mask's word there.

    Where nothing is wrong the second click is another one inside.

    Args:
        masks: (N, m, m) bool, what is right.
        answers: (N, m, m) bool, what was answered.
        valid, cell, generator: as for `random_clicks`.
    """
    wrong = (masks != answers) & (valid > 0)
    wrong = torch.where(wrong.any(2, keepdim=True).any(1, keepdim=True), wrong, masks)
    cells = torch.cat([_random_cells(masks, 1, generator), _random_cells(wrong, 1, generator)], 1)
    prompts = _clicks(cells, masks, cell, [FOREGROUND, FOREGROUND], generator)
    labels = masks.flatten(1).gather(1, cells).long()  # 1 is FOREGROUND, 0 is BACKGROUND
    return Prompts(points=prompts.points, point_labels=labels)


def jittered_boxes(masks: Tensor, cell: float, generator: torch.Generator) -> Prompts:
    """Each mask's own box, drawn sloppily: every edge is moved by about a tenth of its side.

    Args:
        masks: (N, m, m) bool; an empty one gets the whole square.
        cell: side of a grid cell in pixels of the input frame.
        generator: of all draws.

    Returns:
        Prompts with boxes (N, 4) in the input frame.
    """
    edges = []
    for occupied in (masks.any(1), masks.any(2)):  # columns, rows
        length = occupied.shape[1]
        first = occupied.int().argmax(1)
        last = torch.where(occupied.any(1), length - occupied.flip(1).int().argmax(1), length)
        side = (last - first).float()
        shift = _JITTER * torch.randn(2, len(masks), generator=generator)
        shift = shift.clamp(-_LARGEST_JITTER, _LARGEST_JITTER).to(side)
        edges.append(((first + shift[0] * side).clamp(0, length), (last + shift[1] * side).clamp(0, length)))
    (x0, x1), (y0, y1) = edges
    return Prompts(boxes=cell * torch.stack([x0, y0, x1, y1], 1))


def coarse_masks(masks: Tensor) -> Prompts:
    """Each mask at a quarter of its resolution, as logits between -4 and 4 for the mask prompt.

    Args:
        masks: (N, m, m) bool.
    """
    pooled = F.avg_pool2d(masks.float()[:, None], _COARSE, ceil_mode=True, count_include_pad=False)
    cover = F.interpolate(pooled, size=masks.shape[1:], mode="bilinear", align_corners=False)[:, 0]
    return Prompts(masks=8 * cover - 4)


def _random_cells(allowed: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """(N, count) flat indices of cells, each allowed cell as likely, with replacement; any where none is allowed."""
    flat = allowed.flatten(1)
    flat = flat | ~flat.any(1, keepdim=True)
    ranks = flat.long().cumsum(1)
    drawn = torch.rand(len(flat), count, dtype=torch.float64, generator=generator).to(ranks.device, torch.float32)
    wanted = (drawn * ranks[:, -1:]).long().clamp_max(ranks[:, -1:] - 1) + 1
    return torch.searchsorted(ranks, wanted)


def _clicks(cells: Tensor, masks: Tensor, cell: float, labels: list[int], generator: torch.Generator) -> Prompts:
    """Points anywhere within their cells. A point is a pixel's index, half a pixel before its centre."""
    width = masks.shape[2]
    within = torch.rand(2, *cells.shape, generator=generator).to(masks.device)
    x, y = (cells % width + within[0]) * cell - 0.5, (cells // width + within[1]) * cell - 0.5
    return Prompts(
        points=torch.stack([x, y], 2), point_labels=torch.tensor(labels, device=masks.device).repeat(len(masks), 1)
    )
