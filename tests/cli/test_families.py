"""From boxes to a model for other tools, through the command line, for every family."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import wesam
from tests.conftest import ImageSet
from tests.tiny import FAMILIES, tiny_segmenter
from wesam.export.exporters import export_model
from wesam.models.load import load_source


@pytest.mark.parametrize(
    "family",
    [pytest.param(family, marks=pytest.mark.slow if family == "sam2" else pytest.mark.full) for family in FAMILIES],
)
def test_adapt_evaluate_predict_export(family: str, image_set: ImageSet, tmp_path: Path) -> None:
    model, run = tmp_path / "model", tmp_path / "run"
    export_model(tiny_segmenter(family=family), "transformers", model)
    images = ("--model", model, "--images", image_set.images)
    adapted = (*images, "--adapter", run / "adapter")
    short = ("--set", "steps=2", "--set", "device=cpu", "--set", "previews=0")
    for command in (
        ("adapt", *images, "--labels", image_set.boxes, "--out", run, *short),
        ("evaluate", *adapted, "--labels", image_set.masks, "--prompt", "box", "--out", tmp_path / "scores"),
        ("predict", *adapted, "--labels", image_set.boxes, "--out", tmp_path / "masks"),
        (
            "export",
            "--model",
            model,
            "--adapter",
            run / "adapter",
            "--to",
            "transformers",
            "--out",
            tmp_path / "merged",
        ),
    ):
        result = wesam(*command)
        assert result.exit_code == 0, f"{command[0]}: {result.output}"
    assert load_source(tmp_path / "merged", device="cpu").family.model_type == family
