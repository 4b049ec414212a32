"""How sure a network is of where a mask ends."""

from __future__ import annotations

from torch import Tensor

# SAM's own offset (arXiv 2304.02643, section 5 "Stable masks"; official code: 1.0).
STABILITY_OFFSET = 1.0


def stability_score(logits: Tensor, valid: Tensor | None = None, offset: float = STABILITY_OFFSET) -> Tensor:
    """SAM's stability score: IoU of the masks cut at +offset and at -offset.

    The first lies within the second, so their IoU is the ratio of their areas. It is taken on the decoder's grid.
    Kirillov et al. 2023, arXiv 2304.02643, section 5.

    Args:
        logits: (..., m, m) mask logits.
        valid: broadcasts to them, 1 on the image and 0 on padding; None counts every cell.
        offset: above 0.

    Returns:
        (...) in [0, 1]; 0 where both masks are empty.
    """
    counted = 1 if valid is None else valid.bool()
    inner = ((logits > offset) * counted).sum((-2, -1))
    outer = ((logits > -offset) * counted).sum((-2, -1))
    return inner / outer.clamp(min=1)
