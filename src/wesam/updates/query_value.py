"""The paper's update of the query and the value third of a fused projection, as one plain LoRA.

Two updates of rank r, B_q A_q on the query rows and B_v A_v on the value rows, equal one update of rank
2 r with A = [A_q; A_v] and a B that is zero outside two blocks. In that form peft saves and loads it like
any other.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import torch
from torch import Tensor


def hold_query_value_structure(factors: Iterable[Tensor]) -> None:
    """Keeps at zero, in training, what the two updates leave at zero in B. (Copies of the factors lose this.)

    Gradients are masked rather than weights: a zero whose gradient is zero stays exactly zero under SGD,
    Adam and weight decay alike. Of A nothing need be held, since its gradient passes through B.

    Args:
        factors: B of rank 2 r of fused query-key-value projections; r may differ between them.
    """
    for factor in factors:
        mask = _query_value_blocks(factor)
        factor.requires_grad_(True)  # a frozen tensor takes no hook
        factor.register_hook(partial(_masked, mask))  # type: ignore[no-untyped-call]


def _query_value_blocks(factor: Tensor) -> Tensor:
    """(3 d, 2 r) in {0, 1}: query rows use the first r columns, value rows the last r, key rows none."""
    width, rank = factor.shape[0] // 3, factor.shape[1] // 2
    mask = torch.zeros_like(factor, requires_grad=False)
    mask[:width, :rank] = 1
    mask[2 * width :, rank:] = 1
    return mask


def _masked(mask: Tensor, gradient: Tensor) -> Tensor:
    return gradient * mask.to(gradient.device)
