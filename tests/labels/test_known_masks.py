"""Which masks are taken for the truth, of what tools write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.labels.conftest import CocoSet
from wesam.labels.check import load_samples
from wesam.labels.known_masks import count_known, has_known_mask, known_masks
from wesam.labels.write_coco import write_coco
from wesam.masks import encode_mask
from wesam.types import Instance, Sample

TRIANGLE = [[12, 10, 28, 12, 20, 30]]
CORNERS = [[10, 10, 30, 10, 30, 25, 10, 25]]


@pytest.mark.parametrize(
    ("label", "known"),
    [
        ({"segmentation": TRIANGLE}, True),
        ({"segmentation": TRIANGLE, "bbox": None}, True),
        ({}, False),
        ({"segmentation": []}, False),
        ({"segmentation": CORNERS}, False),  # the box once more
        ({"segmentation": TRIANGLE, "score": 0.9}, False),  # what a network said
    ],
)
def test_masks_that_somebody_drew_are_known(coco: CocoSet, label: dict[str, Any], known: bool) -> None:
    coco.add(**label)
    samples, _ = load_samples(coco.images, coco.labels)
    assert [has_known_mask(instance) for instance in samples[0].instances] == [known]
    assert len(known_masks(samples)) == known


def test_an_empty_mask_is_none() -> None:
    assert not has_known_mask(Instance("a", rle=encode_mask(np.zeros((4, 4), bool))))


def test_masks_found_without_labels_stay_guesses_when_their_file_is_read(coco: CocoSet) -> None:
    coco.add(segmentation=TRIANGLE)
    samples, _ = load_samples(coco.images, coco.labels)
    write_coco(samples, coco.root / "found.json", lambda _: {"score": 0.7})
    again, _ = load_samples(coco.images, coco.root / "found.json")
    assert again[0].instances[0].rle is not None
    assert known_masks(again) == []


@pytest.mark.parametrize("kind", ["yolo", "labelme"])
def test_formats_with_boxes_and_outlines_side_by_side(photos: Path, kind: str) -> None:
    labels = photos.parent / "labels"
    labels.mkdir()
    if kind == "yolo":
        (labels / "a.txt").write_text("0 0.5 0.5 0.2 0.2\n0 0.2 0.2 0.5 0.3 0.3 0.6\n")
    else:
        (labels / "a.json").write_text(
            '{"imagePath": "a.png", "imageWidth": 60, "imageHeight": 40, "shapes": ['
            '{"label": "cell", "shape_type": "rectangle", "points": [[5, 5], [20, 20]]},'
            '{"label": "cell", "shape_type": "polygon", "points": [[30, 5], [50, 8], [40, 30]]}]}'
        )
    samples, _ = load_samples(photos, labels)
    assert [has_known_mask(instance) for instance in samples[0].instances] == [False, True]


def test_how_many_is_said_of_all_objects() -> None:
    mask = np.eye(4, dtype=bool)
    sample = Sample(
        "a.png", Path("a.png"), 4, 4, (Instance("a", rle=encode_mask(mask)), Instance("b", box=(0, 0, 2, 2)))
    )
    assert count_known(known_masks([sample]), [sample]).startswith("1 of 2 objects have masks: they are learned from")
