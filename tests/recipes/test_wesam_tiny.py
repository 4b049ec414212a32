"""The recipe from the command line: a wrong setting is named with its file, a tiny run gives a model folder."""

from pathlib import Path

import pytest
import yaml
from transformers import SamModel

from recipes.wesam_tiny import main
from tests.recipes.pretraining.test_pretrain import TINY


def test_a_tiny_run_gives_a_model(tmp_path: Path) -> None:
    settings = {**TINY, "steps": 1, "out": str(tmp_path / "run"), "pool": str(tmp_path / "pool")}
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(settings))
    main(["--config", str(tmp_path / "tiny.yaml")])
    assert SamModel.from_pretrained(tmp_path / "run" / "model").config.vision_config.image_size == 64


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("stpes: 3\n")
    with pytest.raises(SystemExit, match="bad.yaml.*stpes: unknown setting"):
        main(["--config", str(tmp_path / "bad.yaml")])
