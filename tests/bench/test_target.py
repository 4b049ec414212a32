from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.datasets.miniature import coco
from wesam.bench.target import Size, open_target
from wesam.generated.scenes import VERSION

SMALL = Size(train=2, test=1, side=96)


def test_generated_images_are_drawn_once(tmp_path: Path) -> None:
    first = open_target("robotic", None, tmp_path, SMALL)
    stamps = {path: path.stat().st_mtime_ns for path in first.images.iterdir()}
    assert (len(first.train), len(first.test), first.version) == (2, 1, VERSION)
    assert open_target("robotic", None, tmp_path, SMALL) == first
    assert {path: path.stat().st_mtime_ns for path in first.images.iterdir()} == stamps


def test_a_drawing_that_was_killed_is_done_again(tmp_path: Path) -> None:
    first = open_target("robotic", None, tmp_path, SMALL)
    (first.images.parent / "done").unlink()
    (first.images.parent / "instances_test.json").unlink()
    assert open_target("robotic", None, tmp_path, SMALL) == first


def test_spoilt_images_keep_their_masks(tmp_path: Path) -> None:
    pytest.importorskip("imagecorruptions")
    clean, fog = (open_target(name, None, tmp_path, SMALL) for name in ("source", "corrupted/fog"))
    assert [sample.id for sample in clean.test] == [sample.id for sample in fog.test]
    assert clean.test[0].path.read_bytes() != fog.test[0].path.read_bytes()


def test_a_real_data_set_is_thinned_evenly(tmp_path: Path) -> None:
    coco(tmp_path, "images", count=14)
    (tmp_path / "annotations" / "instances_val2017.json").rename(tmp_path / "labels.json")
    whole = open_target("mine", tmp_path, tmp_path, Size(None, None))
    thin = open_target("mine", tmp_path, tmp_path, Size(4, 1))
    assert len(whole.train) == 12
    assert [sample.id for sample in thin.train] == [whole.train[place].id for place in (0, 3, 6, 9)]
    assert thin.version != whole.version
