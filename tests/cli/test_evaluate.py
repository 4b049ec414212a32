"""`wesam evaluate`: its table and its files."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import wesam
from tests.conftest import ImageSet


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
