"""`wesam predict`: its files, which are labels again."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import wesam
from tests.conftest import ImageSet


def test_predict_writes_masks(finished_run: Path, image_set: ImageSet, model_folder: Path, tmp_path: Path) -> None:
    data = ("--images", image_set.images, "--labels", image_set.boxes)
    model = ("--model", model_folder, "--adapter", finished_run / "adapter")
    result = wesam("predict", *model, *data, "--out", tmp_path / "masks")
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "masks" / "predictions.json").read_text())
    labels = json.loads(image_set.boxes.read_text())
    assert len(found["annotations"]) == len(labels["annotations"])
    # What was predicted can be read back as labels.
    result = wesam("check", "--images", image_set.images, "--labels", tmp_path / "masks" / "predictions.json")
    assert "error" not in result.output
