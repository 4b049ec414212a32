"""Whether a difference between two methods is more than the luck of which images were scored."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict


class Interval(BaseModel):
    """A mean paired difference with its bootstrap interval.

    Attributes:
        difference: mean of (second - first) over images.
        low, high: bounds of the interval; None below two images, where nothing can be resampled.
        level: coverage of the interval.
        images: how many images were paired.
        resamples: how many times they were drawn.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    difference: float
    low: float | None
    high: float | None
    level: float
    images: int
    resamples: int

    @property
    def verdict(self) -> str:
        """ "better", "worse", "no different" where the interval holds 0, or "unknown" where there is none."""
        if self.low is None:
            return "unknown"
        if self.low is not None and self.low > 0:
            return "better"
        if self.high is not None and self.high < 0:
            return "worse"
        return "no different"


def paired_interval(
    first: Sequence[float],
    second: Sequence[float],
    *,
    seed: int = 0,
    level: float = 0.95,
    resamples: int = 10_000,
) -> Interval:
    """Percentile bootstrap over images of the mean of (second - first) (Efron & Tibshirani 1993, chapter 13).

    Images are the unit, not instances: the instances of one image share its light, focus and annotator.

    Args:
        first, second: one value an image, in the same order.
        seed: of the resampling.

    Raises:
        ValueError: if the lengths differ or are 0.
    """
    if len(first) != len(second) or not len(first):
        raise ValueError(f"expected two equally long, non-empty sequences, got {len(first)} and {len(second)}")
    differences = np.asarray(second, dtype=np.float64) - np.asarray(first, dtype=np.float64)
    count = len(differences)
    low = high = None
    if count > 1:
        generator = np.random.default_rng(seed)
        means = [differences[generator.integers(count, size=count)].mean() for _ in range(resamples)]
        low, high = (float(bound) for bound in np.quantile(means, [(1 - level) / 2, (1 + level) / 2]))
    return Interval(
        difference=float(differences.mean()),
        low=low,
        high=high,
        level=level,
        images=count,
        resamples=resamples,
    )
