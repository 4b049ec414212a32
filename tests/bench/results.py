"""Results as cells write them, made up."""

from __future__ import annotations

from typing import Any

import numpy as np

from wesam.bench.result import Result, Score, Selected, Trained


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
        "steps": 10 * learns,
        "learning_rate": 1e-4 * learns,
        "settings": {},
        "train_images": 20,
        "test_images": 10,
        "labels": 60,
        "last": Score(step=10 * learns, **score),
        "selected": Selected(step=5 * learns, rule="best-healthy" if learns else "none", **score),
        "others": {},
        "curve": [],
        "trained": Trained(count=2000 * learns, names=["a"] * learns),
        "minutes": 1.5 * learns,
        "peak_mb": 100.0,
        "commit": "abc",
        "of": "x",
    }
    return Result(**{**values, **changes})
