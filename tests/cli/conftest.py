"""Runs of the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.conftest import ImageSet
from wesam.cli import app

FAST = ("--set", "steps=2", "--set", "warmup_steps=1", "--set", "device=cpu", "--set", "previews=1")


def wesam(*arguments: object) -> Result:
    """Runs `wesam` with these arguments."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="session")
def finished_run(image_set: ImageSet, model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    data = ("--images", image_set.images, "--labels", image_set.boxes)
    result = wesam("adapt", "--model", model_folder, *data, "--out", out, *FAST)
    assert result.exit_code == 0, result.output
    return out
