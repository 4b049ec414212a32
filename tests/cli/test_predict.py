"""`wesam predict`: its files, which are labels again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

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


@pytest.mark.usefixtures("masks_everywhere")
def test_without_labels_the_model_finds_objects(image_set: ImageSet, model_folder: Path, tmp_path: Path) -> None:
    data = ("--model", model_folder, "--images", image_set.images, "--out", tmp_path / "masks")
    result = wesam("predict", *data, "--points-per-side", 4, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "masks" / "predictions.json").read_text())
    assert len(found["annotations"]) == json.loads(result.stdout)["masks"] > 0
    assert len(found["images"]) == 6


@pytest.mark.parametrize("option", [("--prompt", "box"), ("--format", "coco")])
def test_what_is_of_labels_needs_some(option: tuple[str, str], image_set: ImageSet, tmp_path: Path) -> None:
    result = wesam("predict", "--model", "m", "--images", image_set.images, "--out", tmp_path / "o", *option)
    assert result.exit_code == 2
    assert "needs --labels" in result.output
