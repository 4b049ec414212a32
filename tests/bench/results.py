"""Results as cells write them, made up."""

from __future__ import annotations

from typing import Any

import numpy as np

from wesam.bench.result import Last, Result, Score, Selected, Trained


def trained(count: int, labels: int = 60) -> Trained:
    """What a run of ten steps changed."""
    learns = bool(count)
    return Trained(
        count=count,
        names=["a"] * learns,
        steps=10 * learns,
        learning_rate=1e-4 * learns,
        images=20 * learns,
        labels=labels * learns,
        settings={},
        identity="x",
    )


def made_up(method: str, miou: float, *, dataset: str = "smear", seed: int = 0, **changes: Any) -> Result:
    """A cell whose ten images scatter around a mean alike for every method of a seed."""
    scatter = np.random.default_rng(seed).normal(0, 0.02, 10)
    images = (miou + scatter - scatter.mean()).tolist()
    learns = method != "direct"
    score = {"miou": miou, "dice": miou, "boundary_iou": 0.5, "images": images}
    values: dict[str, Any] = {
        "method": method,
        "dataset": dataset,
        "version": "1",
        "model": "m",
        "prompt": "box",
        "seed": seed,
        "last": Last(step=10 * learns, **score),
        "selected": Selected(step=5 * learns, rule="best-healthy" if learns else "none", **score),
        "trained": trained(2000 * learns),
        "minutes": 1.5 * learns,
        "peak_mb": 100.0,
        "commit": "abc",
    }
    return Result(**{**values, **changes})


def with_selected(result: Result, **changes: Any) -> Result:
    """The cell with other scores at its selected step."""
    return result.model_copy(update={"selected": result.selected.model_copy(update=changes)})


def with_curve(result: Result, curve: list[Score]) -> Result:
    """The cell with scores of steps on the way."""
    return result.model_copy(update={"last": result.last.model_copy(update={"curve": curve})})
