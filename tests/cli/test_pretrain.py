"""The recipe from the command line: a wrong setting is named with its file, a tiny run gives a model folder."""

from pathlib import Path

import yaml
from transformers import SamModel
from typer.testing import CliRunner

from tests.synthetic.test_pretrain import TINY
from wesam.cli import app


def test_a_tiny_run_gives_a_model(tmp_path: Path) -> None:
    settings = {**TINY, "steps": 1, "out": str(tmp_path / "run"), "pool": str(tmp_path / "pool")}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(settings))
    done = CliRunner().invoke(app, ["pretrain", "--config", str(tmp_path / "tiny.yaml")])
    assert done.exit_code == 0, done.output
    assert SamModel.from_pretrained(tmp_path / "run" / "model").config.vision_config.image_size == 64


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("stpes: 3\n")
    done = CliRunner().invoke(app, ["pretrain", "--config", str(tmp_path / "bad.yaml")])
    assert done.exit_code != 0
    assert "bad.yaml" in done.output
    assert "stpes: unknown setting" in done.output
