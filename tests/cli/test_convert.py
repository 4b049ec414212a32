"""`wesam convert`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.cli.conftest import wesam
from tests.conftest import ImageSet


def test_labels_become_coco_and_their_own_file_is_never_written_over(image_set: ImageSet, tmp_path: Path) -> None:
    labels = tmp_path / "boxes.json"
    shutil.copy(image_set.boxes, labels)
    before = labels.read_bytes()
    given = ("convert", "--images", image_set.images, "--labels", labels)
    result = wesam(*given, "--out", tmp_path / "coco.json")
    assert result.exit_code == 0, result.output
    written = json.loads((tmp_path / "coco.json").read_text())
    assert len(written["annotations"]) == len(json.loads(before)["annotations"])
    result = wesam(*given, "--out", tmp_path / "." / "boxes.json")
    assert result.exit_code == 1
    assert "boxes.json: expected another file than --labels" in result.output
    assert labels.read_bytes() == before
