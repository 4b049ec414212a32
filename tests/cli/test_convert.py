"""`wesam convert`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import wesam
from tests.conftest import ImageSet


def test_labels_become_coco(image_set: ImageSet, tmp_path: Path) -> None:
    given = ("convert", "--images", image_set.images, "--labels", image_set.boxes)
    result = wesam(*given, "--out", tmp_path / "coco.json")
    assert result.exit_code == 0, result.output
    written = json.loads((tmp_path / "coco.json").read_text())
    assert len(written["annotations"]) == len(json.loads(image_set.boxes.read_text())["annotations"])


@pytest.mark.parametrize("labels", ["boxes.json", "."])
def test_labels_are_never_written_over(labels: str, image_set: ImageSet, tmp_path: Path) -> None:
    """Neither their file nor one in their folder."""
    shutil.copy(image_set.boxes, tmp_path / "boxes.json")
    given = ("convert", "--images", image_set.images, "--labels", tmp_path / labels, "--overwrite")
    result = wesam(*given, "--out", tmp_path / ".." / tmp_path.name / "boxes.json")
    assert result.exit_code == 1
    assert "boxes.json: lies in --labels" in result.output
    assert (tmp_path / "boxes.json").read_bytes() == image_set.boxes.read_bytes()


def test_another_file_is_only_written_over_on_request(image_set: ImageSet, tmp_path: Path) -> None:
    out = tmp_path / "coco.json"
    out.write_text("precious")
    given = ("convert", "--images", image_set.images, "--labels", image_set.boxes, "--out", out)
    result = wesam(*given)
    assert result.exit_code == 1
    assert "coco.json: already exists; --overwrite" in result.output
    assert out.read_text() == "precious"
    assert wesam(*given, "--overwrite").exit_code == 0
    assert json.loads(out.read_text())["annotations"]
