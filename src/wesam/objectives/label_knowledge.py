"""What the weak label, beside being the prompt, says about the mask (METHOD section 7)."""

from __future__ import annotations

import torch
from torch import Tensor

from wesam.losses.projection import interval_cover
from wesam.segmenters.base import Segmenter
from wesam.views.batch import Batch


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
