"""`wesam adapt`: mistakes without tracebacks, and going on with a run."""

from __future__ import annotations

import shutil
from html import unescape
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import FAST, wesam
from tests.conftest import ImageSet


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("--model", "no/such"), "no/such"),
        (("--labels", "no.json"), "no.json"),
        (("--images", "nowhere"), "nowhere"),
        (("--set", "stepz=3"), "stepz: unknown setting"),
        (("--start", "no/adapter"), "no/adapter: expected the adapter of a run"),
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


def test_validation_labels_have_a_format_of_their_own(image_set: ImageSet, model_folder: Path, tmp_path: Path) -> None:
    """Masks beside a stray .txt file, which would be taken for YOLO's."""
    validation = tmp_path / "masks"
    validation.mkdir()
    Image.new("L", (64, 48), 1).save(validation / "1.png")
    (validation / "1.txt").touch()
    data = ("--images", image_set.images, "--labels", image_set.boxes, "--val-labels", validation)
    run = ("adapt", "--model", model_folder, *data, "--format", "coco", *FAST)
    assert wesam(*run, "--out", tmp_path / "untold").exit_code == 1
    told = wesam(*run, "--out", tmp_path / "told", "--val-format", "masks")
    assert told.exit_code == 0, told.output
    assert (tmp_path / "told" / "evaluation.json").is_file()


@pytest.mark.parametrize(
    ("given", "needed"), [(("--val-format", "masks"), "--val-labels"), (("--format", "coco"), "--labels")]
)
def test_a_format_of_no_labels_is_refused(given: tuple[str, str], needed: str, tmp_path: Path) -> None:
    labels = () if needed == "--labels" else ("--labels", tmp_path)
    result = wesam("adapt", "--model", "m", "--images", tmp_path, *labels, "--out", tmp_path / "run", *given)
    assert result.exit_code == 2
    assert f"needs {needed}" in result.output


def test_an_interrupt_names_the_way_to_go_on_only_where_there_is_one(
    finished_run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("wesam.adaptation.run", interrupted)
    fresh = wesam("adapt", "--model", "m", "--images", tmp_path, "--out", tmp_path / "run")
    assert (fresh.exit_code, fresh.stderr) == (130, "stopped\n")
    begun = wesam("adapt", "--resume", "--out", finished_run)
    assert (begun.exit_code, begun.stderr) == (130, f"stopped; go on with: wesam adapt --resume --out {finished_run}\n")


def test_not_to_adapt_is_said_plainly(image_set: ImageSet, model_folder: Path, tmp_path: Path) -> None:
    rule = ("--set", "selection.least_anchor_agreement=1", "--set", "learning_rate=0.3")
    data = ("--images", image_set.images, "--labels", image_set.boxes, "--val-labels", image_set.masks)
    result = wesam("adapt", "--model", model_folder, *data, "--out", tmp_path / "run", *FAST, *rule)
    assert result.exit_code == 0, result.output
    assert "The source model was kept." in result.output
    assert "Do not adapt: no candidate's signals of health held" in result.output
    assert "Do not adapt: no candidate's signals of health held" in unescape(
        (tmp_path / "run" / "report.html").read_text()
    )


def test_resume_without_a_run_says_so(tmp_path: Path) -> None:
    result = wesam("adapt", "--resume", "--out", tmp_path / "nosuchrun")
    assert result.exit_code == 1
    assert "nosuchrun: there is no run to go on with (no config.yaml in it)" in result.output


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
