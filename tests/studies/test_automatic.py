from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from studies import automatic as module
from studies.automatic import main
from tests.conftest import ImageSet
from wesam.errors import WesamError


@pytest.fixture
def pack(image_set: ImageSet, tmp_path: Path) -> Path:
    shutil.copytree(image_set.images, tmp_path / "pack" / "images")
    shutil.copy(image_set.masks, tmp_path / "pack" / "instances_test.json")
    return tmp_path / "pack"


@pytest.mark.usefixtures("masks_everywhere")
def test_a_row_for_each_set_and_quantile(
    pack: Path, model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = typer.Typer()
    app.command()(main)
    arguments = ["--model", model_folder, "--out", tmp_path / "out", "--pack", f"blobs={pack}", "--family", "robotic"]
    arguments += ["--count", 2, "--points-per-side", 6, "--quantile", 0, "--quantile", 0.9]
    runner = CliRunner()
    first = runner.invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert first.exit_code == 0, first.output
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in first.stdout.splitlines()[2:]]
    assert [row[:2] for row in rows] == [
        [name, choice] for name in ("robotic scenes", "blobs") for choice in ("0", "0.9", "SAM's")
    ]
    all_of_them, few = float(rows[0][5]), float(rows[1][5])
    assert all_of_them > few > 0
    assert rows[2][2:4] == ["0.880", "0.950"]
    # What the model answered is kept.
    monkeypatch.setattr("wesam.automatic.cache.find_candidates", None)
    again = runner.invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert again.stdout == first.stdout


def test_a_pack_needs_a_name(tmp_path: Path) -> None:
    with pytest.raises(WesamError, match="--pack: expected NAME=PATH, got 'here'"):
        module.main("wesam-tiny", tmp_path, pack=["here"])
