"""Reading maps over the padded input at points of the input frame."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def values_at(maps: Tensor, points: Tensor, input_size: float, mode: str) -> Tensor:
    """Maps (N, m, m) over the padded input, read at points (N, K, 2) of the input frame: (N, K).

    A point is a pixel's index, so its place is half a pixel further, as in SAM's prompt encoder.
    """
    grid = 2 * (points.to(maps.dtype) + 0.5) / input_size - 1
    read = F.grid_sample(maps[:, None], grid[:, None], mode=mode, padding_mode="border", align_corners=False)
    return read[:, 0, 0]
