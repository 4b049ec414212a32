"""What an encoder reads: how large its input is, how an image is laid on it, and which colours it expects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Pixel = tuple[float, float, float]
Fit = Literal["pad", "stretch"]


@dataclass(frozen=True)
class InputFormat:
    """What the views must know of a model. Free of weights, so that loader processes can hold it.

    Attributes:
        size: side S of the encoder's square input, in pixels.
        grid: side m of the mask logits, which cover the whole input.
        mean, std: RGB statistics for pixels in [0, 1].
        fit: "pad" scales the longest side to S and pads at the bottom right (SAM); "stretch" scales both sides to S,
            whatever the aspect (SAM 2 and later).

    Raises:
        ValueError: if `size` or `grid` is below 1.
    """

    size: int
    grid: int
    mean: Pixel
    std: Pixel
    fit: Fit = "pad"

    def __post_init__(self) -> None:
        if self.size < 1 or self.grid < 1:
            raise ValueError(f"expected size and grid of at least 1, got {self.size} and {self.grid}")
