"""`wesam evaluate`: its table and its files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import wesam
from tests.conftest import ImageSet


def test_evaluate_scores_source_adapted_and_trivial_answers(
    finished_run: Path, image_set: ImageSet, model_folder: Path, tmp_path: Path
) -> None:
    result = wesam(
        *("evaluate", "--model", model_folder, "--adapter", finished_run / "adapter", "--swap"),
        *(
            "--images",
            image_set.images,
            "--labels",
            image_set.masks,
            "--prompt",
            "point,click",
            "--out",
            tmp_path / "scores",
        ),
    )
    assert result.exit_code == 0, result.output
    for name in ("source", "adapted", "box", "ellipse", "GrabCut", "5 + 5 points", "one click", "embedding swap"):
        assert name in result.output
    assert list(json.loads((tmp_path / "scores" / "evaluation.json").read_text())["prompts"]) == ["point", "click"]
    assert {path.name for path in (tmp_path / "scores").iterdir()} == {"evaluation.json", "images.csv", "report.html"}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--swap", "--tile", "32"), "--swap: give no --tile"),
        (("--out", "{done}"), "images.csv: already exists"),
        (("--out", "{file}"), " cannot be used: "),
    ],
)
def test_what_cannot_be_done_is_refused_before_the_work(
    more: tuple[str, ...], message: str, image_set: ImageSet, model_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "done").mkdir()
    (tmp_path / "done" / "images.csv").write_text("precious")
    (tmp_path / "file").touch()
    given = [part.format(done=tmp_path / "done", file=tmp_path / "file") for part in more]
    result = wesam(
        "evaluate", "--model", model_folder, "--images", image_set.images, "--labels", image_set.masks, *given
    )
    assert result.exit_code == 1
    assert message in result.output
    assert "GrabCut" not in result.output
    assert (tmp_path / "done" / "images.csv").read_text() == "precious"


def test_prompts_that_nobody_knows_are_named(image_set: ImageSet, tmp_path: Path) -> None:
    data = ("--images", image_set.images, "--labels", image_set.masks)
    result = wesam("evaluate", "--model", "m", *data, "--prompt", "box,clik")
    assert result.exit_code == 2
    assert "expected one or more of box, point, click, mask" in " ".join(result.output.replace("│", " ").split())
