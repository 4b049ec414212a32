"""`wesam check`: exit codes, and all problems at once."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import FAST, wesam
from tests.conftest import ImageSet


def test_check_says_what_is_there_and_exits_cleanly(image_set: ImageSet) -> None:
    result = wesam("check", "--images", image_set.images, "--labels", image_set.boxes)
    assert result.exit_code == 0
    assert "6 images" in result.output
    assert "learned from" not in result.output
    result = wesam("check", "--images", image_set.images, "--labels", image_set.masks)
    assert "15 of 15 objects have masks: they are learned from as they are" in result.output


def test_check_lists_all_problems_at_once(image_set: ImageSet, tmp_path: Path) -> None:
    coco = json.loads(image_set.boxes.read_text())
    coco["annotations"][0]["bbox"] = [1, 2, -3, 4]
    coco["annotations"][1]["image_id"] = 99
    coco["images"][5]["file_name"] = "gone.png"
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps(coco))
    result = wesam("check", "--images", image_set.images, "--labels", labels)
    for place in ("annotations[0].bbox", "annotations[1].image_id", "images[5].file_name"):
        assert place in result.output
    assert result.exit_code == 0  # the rest can be used


def test_check_fails_where_nothing_can_be_used(image_set: ImageSet, tmp_path: Path) -> None:
    labels = tmp_path / "labels.json"
    labels.write_text('{"images": [')
    result = wesam("check", "--images", image_set.images, "--labels", labels)
    assert result.exit_code == 1
    assert "labels.json" in result.output
    assert "line 1" in result.output


def test_an_input_without_a_size_is_refused(image_set: ImageSet) -> None:
    result = wesam("check", "--images", image_set.images, "--labels", image_set.boxes, "--input-size", -5)
    assert result.exit_code == 2
    assert "--input-size" in result.output


def mostly_outside(image_set: ImageSet, tmp_path: Path) -> Path:
    """The image set's boxes, of which all but those of the first image are of other images."""
    coco = json.loads(image_set.boxes.read_text())
    for annotation in coco["annotations"]:
        if annotation["image_id"] > 1:
            annotation["bbox"] = [500, 500, 10, 10]
    labels = tmp_path / "labels.json"
    labels.write_text(json.dumps(coco))
    return labels


def test_that_most_objects_are_left_out_is_the_last_line_and_the_exit_code(
    image_set: ImageSet, model_folder: Path, tmp_path: Path
) -> None:
    data = ("--images", image_set.images, "--labels", mostly_outside(image_set, tmp_path))
    for command in (
        ("check",),
        ("convert", "--out", tmp_path / "out.json"),
        ("adapt", "--model", model_folder, "--out", tmp_path / "run", *FAST),
    ):
        result = wesam(*command, *data)
        assert result.exit_code == 1, result.output
        assert "used 3 of 15 objects; most are left out" in " ".join(result.output.splitlines()[-2:])
    assert (tmp_path / "out.json").exists()
    assert (tmp_path / "run" / "adapter").is_dir()


def test_labels_are_drawn_on_images_of_the_whole_set(image_set: ImageSet, tmp_path: Path) -> None:
    data, out = ("--images", image_set.images, "--labels", image_set.masks), tmp_path / "pictures"
    for count in (3, 2):
        result = wesam("check", *data, "--draw", count, "--out", out)
        assert result.exit_code == 0, result.output
        assert f"pictures: {out}" in result.output
        assert len(list(out.glob("*.png"))) == count
    assert not (tmp_path / "wesam-check").exists()


def test_pictures_are_never_written_among_other_files(image_set: ImageSet) -> None:
    before = sorted(image_set.images.iterdir())
    result = wesam(
        "check", "--images", image_set.images, "--labels", image_set.masks, "--draw", 1, "--out", before[0].parent
    )
    assert result.exit_code == 1
    assert "expected a new folder" in result.output
    assert sorted(image_set.images.iterdir()) == before
