"""The command line as a user meets it: exit codes, messages without tracebacks, files where they were asked for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from transformers import SamModel
from typer.testing import CliRunner, Result

from tests.conftest import ImageSet
from wesam.cli import app

FAST = ("--set", "steps=2", "--set", "warmup_steps=1", "--set", "device=cpu", "--set", "previews=1")


def wesam(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def finished_run(image_set: ImageSet, model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    data = ("--images", image_set.images, "--labels", image_set.boxes)
    result = wesam("adapt", "--model", model_folder, *data, "--out", out, *FAST)
    assert result.exit_code == 0, result.output
    return out


def test_check_says_what_is_there_and_exits_cleanly(image_set: ImageSet) -> None:
    result = wesam("check", "--images", image_set.images, "--labels", image_set.boxes)
    assert result.exit_code == 0
    assert "6 images" in result.output


def test_check_lists_all_problems_at_once(image_set: ImageSet, tmp_path: Path) -> None:
    coco = json.loads(image_set.boxes.read_text())
    coco["annotations"][0]["bbox"] = [1, 2, -3, 4]
    coco["annotations"][1]["image_id"] = 99
    coco["images"][5]["file_name"] = "gone.png"
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps(coco))
    result = wesam("check", "--images", image_set.images, "--labels", labels)
    for place in ("annotations[0].bbox", "annotations[1].image_id", "images[5].file_name"):
        assert place in result.output
    assert result.exit_code == 0  # the rest can be used


def test_check_fails_where_nothing_can_be_used(image_set: ImageSet, tmp_path: Path) -> None:
    labels = tmp_path / "labels.json"
    labels.write_text('{"images": [')
    result = wesam("check", "--images", image_set.images, "--labels", labels)
    assert result.exit_code == 1
    assert "labels.json" in result.output
    assert "line 1" in result.output


def test_evaluate_scores_source_adapted_and_trivial_answers(
    finished_run: Path, image_set: ImageSet, model_folder: Path, tmp_path: Path
) -> None:
    result = wesam(
        *("evaluate", "--model", model_folder, "--adapter", finished_run / "adapter", "--swap"),
        *("--images", image_set.images, "--labels", image_set.masks, "--prompt", "point", "--out", tmp_path / "scores"),
    )
    assert result.exit_code == 0, result.output
    for name in ("source", "adapted", "box", "ellipse", "grabcut", "embedding swap"):
        assert name in result.output
    assert {path.name for path in (tmp_path / "scores").iterdir()} == {"evaluation.json", "images.csv", "report.html"}


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


def test_export_to_transformers_loads_without_us(finished_run: Path, model_folder: Path, tmp_path: Path) -> None:
    model = ("--model", model_folder, "--adapter", finished_run / "adapter")
    result = wesam("export", *model, "--to", "transformers", "--out", tmp_path / "merged")
    assert result.exit_code == 0, result.output
    SamModel.from_pretrained(tmp_path / "merged")
    again = wesam("export", *model, "--to", "transformers", "--out", tmp_path / "merged")
    assert again.exit_code == 1
    assert str(tmp_path / "merged") in again.stderr.replace("\n", "")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("--model", "no/such"), "no/such"),
        (("--labels", "no.json"), "no.json"),
        (("--images", "nowhere"), "nowhere"),
        (("--set", "stepz=3"), "stepz: unknown setting"),
        (("--preset", "papr"), "expected one of default, paper"),
    ],
)
def test_mistakes_end_with_one_message_before_any_work(
    change: tuple[str, str], message: str, image_set: ImageSet, model_folder: Path, tmp_path: Path
) -> None:
    arguments = {
        "--model": str(model_folder),
        "--images": str(image_set.images),
        "--labels": str(image_set.boxes),
        "--out": str(tmp_path / "run"),
    }
    result = wesam("adapt", *FAST, *(part for pair in {**arguments, change[0]: change[1]}.items() for part in pair))
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_resume_needs_only_the_folder(finished_run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(finished_run, copy)
    shutil.rmtree(copy / "adapter")
    config = (copy / "config.yaml").read_text().replace(str(finished_run), str(copy))
    (copy / "config.yaml").write_text(config)
    result = wesam("adapt", "--resume", "--out", copy)
    assert result.exit_code == 0, result.output
    name = "adapter_model.safetensors"
    assert (copy / "adapter" / name).read_bytes() == (finished_run / "adapter" / name).read_bytes()
