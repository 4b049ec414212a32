"""A refactor proves itself by an unchanged loss curve: the first steps of a tiny seeded run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import ImageSet
from wesam.adaptation import adapt

# Change these only together with a change that is meant to change what is learned, and say so in the commit.
GOLDEN = {
    "total": [20.9896, 22.1678, 20.3972, 17.4791, 22.033],
    "self_training": [18.4081, 19.4327, 17.4452, 14.6597, 19.2938],
    "anchor": [0.337115, 0.35901, 0.325318, 0.296122, 0.31216],
    "contrastive": [1.72667, 1.8585, 2.11244, 1.99247, 1.91239],
    "box_projection": [1.0354, 1.03508, 1.02858, 1.06162, 1.02933],
}


def test_the_loss_curve_has_not_moved(image_set: ImageSet, model_folder: Path, tmp_path: Path) -> None:
    adapt(
        model_folder,
        image_set.images,
        image_set.boxes,
        tmp_path / "run",
        steps=5,
        warmup_steps=1,
        learning_rate=1e-3,
        log_every=1,
        device="cpu",
        previews=0,
        trackers=[],
        objective={
            "teacher": "ema",
            "contrastive_weight": 1.0,
            "contrastive_form": "summed",
            "box_projection_weight": 0.5,
            "box_clip": True,
        },
    )
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    curve = {name: [row[name] for row in rows] for name in GOLDEN}
    for name, values in GOLDEN.items():
        assert curve[name] == pytest.approx(values, rel=2e-3, abs=1e-5), name
