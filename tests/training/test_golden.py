"""A refactor proves itself by an unchanged loss curve: the first steps of a tiny seeded run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import ImageSet
from wesam.adaptation import adapt

# Change these only together with a change that is meant to change what is learned, and say so in the commit.
GOLDEN = {
    "total": [20.088, 22.7222, 18.5182, 19.8956, 16.715],
    "self_training": [17.5067, 19.9954, 15.5602, 17.0766, 13.9608],
    "anchor": [0.329927, 0.366667, 0.321592, 0.308206, 0.296705],
    "contrastive": [1.72667, 1.85813, 2.1125, 1.99161, 1.91261],
    "box_projection": [1.04946, 1.00392, 1.04771, 1.03829, 1.08966],
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
            "focal_alpha": 0.8,
            "dice_weight": 1.0,
            "iou_weight": 1.0,
            "anchor_form": "dice",
            "contrastive_weight": 1.0,
            "contrastive_form": "summed",
            "box_projection_weight": 0.5,
            "box_clip": True,
            "granularity": "single",
        },
    )
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    curve = {name: [row[name] for row in rows if "total" in row] for name in GOLDEN}
    for name, values in GOLDEN.items():
        assert curve[name] == pytest.approx(values, rel=2e-3, abs=1e-5), name
