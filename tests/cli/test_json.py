"""`--json`: one document on the output, messages on the error stream."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import Result

from tests.cli.conftest import FAST, wesam
from tests.conftest import ImageSet
from wesam.cli import app


def document(result: Result) -> dict[str, Any]:
    def refuse(name: str) -> None:
        pytest.fail(f"{name} is no JSON")

    found: dict[str, Any] = json.loads(result.stdout, parse_constant=refuse)
    return found


def commands(group: Any) -> list[Any]:
    found = []
    for command in group.commands.values():
        found += [command, *commands(command)] if hasattr(command, "commands") else [command]
    return found


def test_every_command_has_it() -> None:
    for command in commands(get_command(app)):
        assert "--json" in [name for parameter in command.params for name in parameter.opts], command.name


def test_check_and_convert(image_set: ImageSet, tmp_path: Path) -> None:
    data = ("--images", image_set.images, "--labels", image_set.boxes, "--json")
    checked = wesam("check", *data)
    assert document(checked)["used"] == 15
    assert "6 images" in checked.stderr
    assert document(wesam("convert", *data, "--out", tmp_path / "out.json"))["written"] == str(tmp_path / "out.json")


def test_what_cannot_be_used_is_told_and_fails(image_set: ImageSet, tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text("{")
    result = wesam("check", "--images", image_set.images, "--labels", tmp_path / "labels.json", "--json")
    assert result.exit_code == 1
    assert document(result)["usable"] is False


def test_a_mistake_leaves_the_output_empty(tmp_path: Path) -> None:
    data = ("--images", tmp_path / "nowhere", "--labels", tmp_path / "nowhere")
    result = wesam("convert", *data, "--out", tmp_path / "o.json", "--json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("error: ")


def test_adapt_and_evaluate_give_scores_by_prompt(image_set: ImageSet, model_folder: Path, tmp_path: Path) -> None:
    data = ("--model", model_folder, "--images", image_set.images)
    labels = ("--labels", image_set.boxes, "--val-labels", image_set.masks)
    run = document(wesam("adapt", *data, *labels, "--out", tmp_path / "run", *FAST, "--json"))
    assert run["adapter"] == str(tmp_path / "run" / "adapter")
    miou = run["summary"]["evaluation"]
    assert list(miou) == ["box", "point", "click"]
    assert run["evaluation"]["prompts"]["click"]["methods"]["adapted"]["miou"] == miou["click"]["adapted"]
    adapter = ("--adapter", run["adapter"], "--labels", image_set.masks)
    scored = wesam("evaluate", *data, *adapter, "--prompt", "click", "--json")
    assert document(scored)["prompts"]["click"]["methods"]["adapted"]["miou"] == miou["click"]["adapted"]
    assert "one click" in scored.stderr


def test_predict_names_its_file(image_set: ImageSet, model_folder: Path, tmp_path: Path) -> None:
    data = ("--model", model_folder, "--images", image_set.images, "--labels", image_set.boxes)
    found = document(wesam("predict", *data, "--out", tmp_path / "masks", "--json"))
    assert Path(found["written"]).is_file()


def test_datasets_are_listed() -> None:
    assert {"name", "title"} <= document(wesam("datasets", "--json"))["datasets"][0].keys()
