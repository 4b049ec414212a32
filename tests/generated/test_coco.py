"""A written pack is valid COCO, and its weak labels hold no mask."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO

from wesam.errors import WesamError
from wesam.generated import generate, write_coco


def test_a_pack_gives_the_scenes_back(tmp_path: Path) -> None:
    write_coco("robotic", tmp_path, 2, seed=7, size=128)
    coco = COCO(str(tmp_path / "instances_train.json"))
    for index, info in enumerate(coco.imgs.values()):
        scene = generate("robotic", 7, index, 128)
        picture = cv2.imread(str(tmp_path / "images" / info["file_name"]))[..., ::-1]
        assert np.array_equal(picture, scene.image)
        masks = [coco.annToMask(a) for a in coco.imgToAnns[info["id"]]]
        assert np.array_equal(np.stack(masks).astype(bool), scene.masks)


@pytest.mark.parametrize("family", ["source", "corrupted"])
def test_images_to_adapt_to_are_none_that_the_bundled_model_has_learnt(tmp_path: Path, family: str) -> None:
    write_coco(family, tmp_path, 2, seed=0, size=64)
    learnt = [generate("source", 0, index, 64).masks for index in range(2)]
    coco = COCO(str(tmp_path / "instances_train.json"))
    for masks, info in zip(learnt, coco.imgs.values(), strict=True):
        own = np.stack([coco.annToMask(a) for a in coco.imgToAnns[info["id"]]]).astype(bool)
        assert own.shape != masks.shape or (own != masks).any()


def test_a_split_that_is_there_is_kept(tmp_path: Path) -> None:
    (first, *_) = write_coco("robotic", tmp_path, 1, size=64)
    before = first.read_bytes()
    with pytest.raises(WesamError, match=r"instances_train\.json: expected a folder without a train split"):
        write_coco("robotic", tmp_path, 1, seed=1, size=64)
    assert first.read_bytes() == before


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
