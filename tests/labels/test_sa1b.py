from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from tests.labels.damage import assert_sound, damaged
from wesam.labels.check import check
from wesam.labels.formats import detect_format
from wesam.labels.sa1b import read_sa1b
from wesam.labels.shapes import mask_to_rle


def content() -> dict[str, Any]:
    mask = np.zeros((40, 60), bool)
    mask[10:20, 5:25] = True
    rle = mask_to_rle(mask)
    return {
        "image": {"image_id": 1, "width": 60, "height": 40, "file_name": "a.png"},
        "annotations": [
            {
                "id": 7,
                "segmentation": {"size": [40, 60], "counts": rle["counts"].decode()},
                "bbox": [5, 10, 20, 10],
                "area": 200,
                "point_coords": [[6.5, 12.0]],
                "predicted_iou": 0.9,
                "stability_score": 0.97,
                "crop_box": [0, 0, 60, 40],
            }
        ],
    }


@pytest.fixture
def labels(photos: Path) -> Path:
    folder = photos.parent / "labels"
    folder.mkdir()
    (folder / "sa_1.json").write_text(json.dumps(content()))
    return folder


def test_a_file_an_image(labels: Path, photos: Path) -> None:
    assert detect_format(labels) == detect_format(labels / "sa_1.json") == "sa1b"
    for given_labels in (labels, labels / "sa_1.json"):
        found = read_sa1b(given_labels, photos)
        assert found.problems == ()
        (sample,) = found.samples
        (one,) = sample.instances
        assert (sample.id, one.id, one.box, one.points) == ("a.png", "sa_1.json:annotations[0]", (5, 10, 25, 20), ())
        assert one.mask().sum() == 200
    assert [problem.message for problem in check(photos, labels).problems] == ["1 image not in the labels: site/b.jpg"]


@pytest.mark.parametrize(
    ("change", "field", "objects"),
    [
        ({"width": 600}, "image.width", 1),
        ({"file_name": "gone.png"}, "image.file_name", 1),
        ({"file_name": 3}, "image.file_name", 1),
    ],
)
def test_images_that_cannot_be_used(
    labels: Path, photos: Path, change: dict[str, object], field: str, objects: int
) -> None:
    bad = content()
    bad["image"].update(change)
    (labels / "sa_1.json").write_text(json.dumps(bad))
    (problem,) = read_sa1b(labels, photos).problems
    assert (problem.severity, problem.field, problem.objects) == ("skip", field, objects)


def test_a_bad_annotation_costs_itself(labels: Path, photos: Path) -> None:
    bad = content()
    bad["annotations"] += ["x", {}, {"bbox": [1, 2, 3]}]
    (labels / "sa_1.json").write_text(json.dumps(bad))
    found = read_sa1b(labels, photos)
    assert [(p.field, p.objects) for p in found.problems] == [(f"annotations[{n}]", 1) for n in (1, 2, 3)]
    assert len(found.samples[0].instances) == 1


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damaged(json.dumps(content())))
def test_no_damage_raises(labels: Path, photos: Path, text: str) -> None:
    (labels / "sa_1.json").write_text(text)
    assert_sound(read_sa1b(labels, photos))
