from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.datasets.miniature import coco, grey_edged, photo, save
from wesam.bench.datasets.read import load_dataset, read_dataset
from wesam.bench.datasets.registry import DATASETS, find_dataset, own_dataset
from wesam.errors import WesamError


def camo(root: Path) -> Path:
    for seed, name in enumerate(("Train/a", "Train/b", "Test/c", "Test/d")):
        photo(root / "Images" / f"{name}.jpg", seed)
        save(root / "GT" / f"{name[-1]}.png", grey_edged((4, 5, 14, 20)))
    return root


def test_an_image_that_is_scored_on_is_not_adapted_to_under_another_name(tmp_path: Path) -> None:
    root = camo(tmp_path)
    (root / "Images/Train/a.jpg").write_bytes((root / "Images/Test/d.jpg").read_bytes())
    found = read_dataset(DATASETS["camo"], root)
    assert [sample.id for sample in found.train] == ["Images/Train/b.jpg"]
    assert [sample.id for sample in found.test] == ["Images/Test/c.jpg", "Images/Test/d.jpg"]
    assert "Images/Train/a.jpg: the same pixels as the test image Images/Test/d.jpg" in str(found)


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    root = camo(tmp_path)
    (root / "GT/a.png").unlink()
    (root / "Images/Train/b.jpg").write_bytes(b"no image")
    damaged = root / "Images/Test/c.jpg"
    damaged.write_bytes(damaged.read_bytes()[:400])
    found = read_dataset(DATASETS["camo"], root)
    text = str(found)
    assert "1 images have no mask GT/{stem}.png: Images/Train/a.jpg" in text
    assert "Images/Train/b.jpg" in text
    assert "Images/Test/c.jpg" in text
    assert "expected train images with objects, got none" in text


def test_every_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(WesamError, match=r"(?s)Train.*found none.*Test.*found none"):
        load_dataset(DATASETS["camo"], tmp_path)


def test_a_users_folder_is_a_data_set(tmp_path: Path) -> None:
    coco(tmp_path, "images", count=14)
    labels = tmp_path / "annotations" / "instances_val2017.json"
    whole = labels.rename(tmp_path / "labels.json")
    found = load_dataset(own_dataset("mine", tmp_path), tmp_path)
    assert (len(found.train), len(found.test)) == (12, 1)  # of 13 with an object
    (tmp_path / "instances_train.json").write_text(whole.read_text())
    whole.rename(tmp_path / "instances_test.json")
    found = read_dataset(own_dataset("mine", tmp_path), tmp_path)
    assert (len(found.train), len(found.test)) == (0, 13)  # the same images in both


def test_a_folder_without_labels_is_none(tmp_path: Path) -> None:
    with pytest.raises(WesamError, match="got no COCO file"):
        own_dataset("mine", tmp_path)


@pytest.mark.parametrize("name", ["coko", "coco/fog", "coco-c", "coco-c/rain"])
def test_unknown_names_are_refused(name: str) -> None:
    with pytest.raises(WesamError, match="expected"):
        find_dataset(name)


def test_the_papers_ten_are_there() -> None:
    assert len(DATASETS) == 10
    assert find_dataset("coco-c/fog") == (DATASETS["coco-c"], "fog")
