"""The README's commands and Python run as they stand there; only the model is a smaller one, and the runs are short."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.conftest import ImageSet
from tests.documents import README, ROOT, blocks, wesam_commands
from wesam import demo
from wesam.cli import app
from wesam.labels.check import load_samples
from wesam.training.config import PRESETS
from wesam.updates.load import load_segmenter
from wesam.updates.update import merged_model

MODEL = "facebook/sam-vit-base"  # what the documents name


@pytest.fixture
def desk(image_set: ImageSet, model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the files that the documents name, where runs take two steps."""
    shutil.copytree(image_set.images, tmp_path / "photos")
    shutil.copy(image_set.boxes, tmp_path / "boxes.json")
    shutil.copy(image_set.masks, tmp_path / "masks.json")
    monkeypatch.chdir(tmp_path)
    short = {"steps": 2, "device": "cpu", "previews": 1, "trackers": []}
    monkeypatch.setitem(PRESETS, "default", {**PRESETS["default"], **short})
    monkeypatch.setattr(demo, "TRAIN_IMAGES", 2)
    monkeypatch.setattr(demo, "TEST_IMAGES", 2)
    monkeypatch.setattr("wesam.models.load.bundled_model_path", lambda name: model_folder)
    return tmp_path


def run(arguments: list[str], model: Path) -> str:
    """Runs one command and returns what it printed."""
    arguments = [str(model) if argument == MODEL else argument for argument in arguments]
    if arguments[0] == "demo":
        arguments += ["--steps", "2"]
    if arguments[0] == "bench":
        arguments += ["--pages-only"]  # its cells are for minutes, and tests of their own
    if arguments[0] == "generate":
        arguments += ["--train", "1", "--test", "1", "--size", "96"]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, f"wesam {' '.join(arguments)}: {result.output}"
    return result.output


@pytest.mark.usefixtures("masks_everywhere")
def test_every_command_of_the_readme_runs(desk: Path, model_folder: Path) -> None:
    for arguments in wesam_commands(README):
        if arguments[0] == "corrupt" and importlib.util.find_spec("imagecorruptions") is None:
            continue  # an optional package
        run(arguments, model_folder)
    left = [
        "wesam-demo/run/adapter/adapter_config.json",
        "masks/predictions.json",
        "sam_adapted.pth",
        # The tree under "What you get":
        *(f"runs/first/{name}" for name in ("adapter/adapter_model.safetensors", "report.html", "evaluation.json")),
        *(f"runs/first/{name}" for name in ("images.csv", "metrics.jsonl", "config.yaml", "summary.json")),
    ]
    assert [path for path in left if not (desk / path).is_file()] == []
    assert len(list((desk / "runs/first/previews").glob("*.png"))) == 1
    assert list((desk / "runs/first/checkpoints").iterdir())


def test_the_readmes_python_runs(desk: Path, model_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = blocks(README, "python")
    exec(compile(code.replace(MODEL, str(model_folder)), str(README), "exec"), {})
    assert "difference=" in capsys.readouterr().out
    predictions = json.loads((desk / "predictions/predictions.json").read_text())
    assert len(predictions["annotations"]) == sum(len(sample.instances) for sample in samples(desk))
    assert (desk / "runs/first/adapter/adapter_config.json").is_file()


def test_make_targets_of_the_readme_exist() -> None:
    rules = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = [line.split()[1] for line in "\n".join(blocks(README, "sh")).splitlines() if line.startswith("make ")]
    assert {"demo", "test"} <= set(targets)
    assert [target for target in targets if f"\n{target}:" not in rules] == []


def test_the_tutorials_peft_code_gives_the_adapted_model(desk: Path, model_folder: Path) -> None:
    tutorial = ROOT / "docs" / "tutorial.md"
    first = next(arguments for arguments in wesam_commands(tutorial) if arguments[0] == "adapt")
    run(first, model_folder)
    (code,) = blocks(tutorial, "python")
    names: dict[str, object] = {}
    exec(compile(code.replace(MODEL, str(model_folder)), str(tutorial), "exec"), names)
    ours = merged_model(load_segmenter(model_folder, desk / "runs/first/adapter", device="cpu")).state_dict()
    theirs = names["model"].state_dict()  # type: ignore[attr-defined]
    assert ours.keys() == theirs.keys()
    assert [name for name, tensor in ours.items() if not tensor.equal(theirs[name])] == []


def samples(desk: Path) -> list[object]:
    return list(load_samples(desk / "photos", desk / "boxes.json")[0])
