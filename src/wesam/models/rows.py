"""Rows of what several prompts share, taken for each of them."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor
from torch.autograd import Function


def rows_of(parts: Tensor, rows: Tensor | None) -> Tensor:
    """``parts[rows]``, of (R, ...) parts; all of them, as they lie, where `rows` (n,) is None."""
    taken: Tensor = parts if rows is None else _Rows.apply(parts, rows)  # type: ignore[no-untyped-call]
    return taken


class _Rows(Function):
    """Its gradient is a product with a matrix of few rows: on a CPU torch's own scatter costs more than the forward."""

    @staticmethod
    def forward(ctx: Any, parts: Tensor, rows: Tensor) -> Tensor:
        ctx.save_for_backward(rows)
        ctx.shape = parts.shape
        return parts.index_select(0, rows)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (rows,) = ctx.saved_tensors
        chosen = F.one_hot(rows, ctx.shape[0]).to(gradient.dtype)
        return (chosen.T @ gradient.flatten(1)).view(ctx.shape), None
