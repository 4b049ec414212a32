"""A written pack is valid COCO, and its weak labels hold no mask."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from wesam.errors import WesamError
from wesam.synthetic import generate, write_coco


def test_a_pack_gives_the_scenes_back(tmp_path: Path) -> None:
    write_coco("source", tmp_path, 2, seed=7, size=128)
    coco = COCO(str(tmp_path / "instances_train.json"))
    for index, info in enumerate(coco.imgs.values()):
        scene = generate("source", 7, index, 128)
        picture = cv2.imread(str(tmp_path / "images" / info["file_name"]))[..., ::-1]
        assert np.array_equal(picture, scene.image)
        masks = [coco.annToMask(a) for a in coco.imgToAnns[info["id"]]]
        assert np.array_equal(np.stack(masks).astype(bool), scene.masks)


def test_weak_labels_are_the_boxes_alone(tmp_path: Path) -> None:
    write_coco("source", tmp_path, 1, size=128)
    weak = json.loads((tmp_path / "weak_train.json").read_text())["annotations"]
    full = json.loads((tmp_path / "instances_train.json").read_text())["annotations"]
    assert [a["bbox"] for a in weak] == [a["bbox"] for a in full]
    assert all(set(a) == {"id", "image_id", "category_id", "iscrowd", "bbox"} for a in weak)


def test_the_splits_share_a_folder_but_no_scene(tmp_path: Path) -> None:
    write_coco("source", tmp_path, 1, split="train", size=128)
    written = write_coco("source", tmp_path, 1, split="test", size=128)
    assert [p.name for p in written] == ["instances_test.json"]
    pictures = [path.read_bytes() for path in sorted((tmp_path / "images").iterdir())]
    assert len(set(pictures)) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"count": 0}, "count: expected at least 1"), ({"count": 1, "split": "val"}, "split: expected train or test")],
)
def test_bad_arguments_are_refused(tmp_path: Path, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(WesamError, match=message):
        write_coco("source", tmp_path, **arguments)  # type: ignore[arg-type]
