"""The shapes that all mask losses ask for."""

from __future__ import annotations

from torch import Tensor


def check_masks(first: Tensor, second: Tensor, weight: Tensor | None) -> None:
    """Raises a ValueError unless all are (N, H, W) of one shape."""
    shapes = [tuple(part.shape) for part in (first, second, weight) if part is not None]
    if first.ndim != 3 or len(set(shapes)) > 1:
        raise ValueError(f"expected masks and weight of one shape (N, H, W), got {shapes}")
