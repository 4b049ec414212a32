"""A generated pack is what the other commands take, and a wrong family is said."""

from pathlib import Path

from typer.testing import CliRunner

from tests.full_disk import full_disk
from wesam.cli import app


def test_a_generated_pack_passes_the_check(tmp_path: Path) -> None:
    made = CliRunner().invoke(
        app, ["generate", "--family", "robotic", "--out", str(tmp_path), "--train", "2", "--test", "1", "--size", "96"]
    )
    assert made.exit_code == 0, made.output
    assert "2 train and 1 test images of robotic" in made.output
    images = ["--images", str(tmp_path / "images")]
    for labels in ("weak_train.json", "instances_test.json"):
        checked = CliRunner().invoke(app, ["check", *images, "--labels", str(tmp_path / labels)])
        assert checked.exit_code == 0, checked.output


def test_an_unknown_family_is_named(tmp_path: Path) -> None:
    made = CliRunner().invoke(app, ["generate", "--family", "maritime", "--out", str(tmp_path)])
    assert made.exit_code != 0
    assert "expected one of source, corrupted" in made.output
    assert "'maritime'" in made.output


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    with full_disk():
        made = CliRunner().invoke(app, ["generate", "--out", str(tmp_path), "--train", "1", "--test", "1"])
    assert made.exit_code == 1
    assert made.output.startswith(f"error: {tmp_path / 'images' / 'natural_train_00000.png'} cannot be used")
