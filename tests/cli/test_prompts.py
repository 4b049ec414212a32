from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import wesam
from tests.conftest import ImageSet


def arguments(image_set: ImageSet, model: Path, out: Path) -> tuple[object, ...]:
    grid = ("--points-per-side", 6, "--device", "cpu", "--stability-quantile", 0)
    return ("prompts", "--model", model, "--images", image_set.images, "--out", out, *grid)


@pytest.mark.usefixtures("masks_everywhere")
def test_writes_labels_to_look_at_and_to_adapt_with(image_set: ImageSet, model_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "prompts.json"
    result = wesam(*arguments(image_set, model_folder, out), "--previews", 2)
    assert result.exit_code == 0, result.output
    coco = json.loads(out.read_text())
    assert len(coco["images"]) == 6
    entry = coco["annotations"][0]
    assert {"bbox", "segmentation", "keypoints", "score", "stability"} <= entry.keys()
    assert f"{len(coco['annotations'])} prompts on" in result.output
    assert len(list((tmp_path / "prompts-previews").glob("*.png"))) == 2
    assert len(list((tmp_path / "prompts.cache").glob("*.npz"))) == 6
    checked = wesam("check", "--images", image_set.images, "--labels", out)
    assert checked.exit_code == 0, checked.output


@pytest.mark.usefixtures("masks_everywhere")
def test_corrections_are_not_written_over(image_set: ImageSet, model_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "prompts.json"
    out.write_text("corrected by hand")
    refused = wesam(*arguments(image_set, model_folder, out))
    assert refused.exit_code == 1
    assert "prompts.json: already exists" in refused.stderr
    assert out.read_text() == "corrected by hand"
    replaced = wesam(*arguments(image_set, model_folder, out), "--overwrite", "--previews", 0)
    assert replaced.exit_code == 0, replaced.output
    assert not (tmp_path / "prompts-previews").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("--iou-threshold", 99), "expected at least one mask to survive, got none of"),
        (("--iou-quantile", 1), "iou_quantile: expected less than 1, got 1"),
        (("--images", "nowhere"), "nowhere: expected a folder of images"),
    ],
)
def test_mistakes_are_one_message(
    change: tuple[str, object], message: str, image_set: ImageSet, model_folder: Path, tmp_path: Path
) -> None:
    result = wesam(*arguments(image_set, model_folder, tmp_path / "prompts.json"), *change)
    assert result.exit_code == 1
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert not (tmp_path / "prompts.json").exists()
