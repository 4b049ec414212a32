from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from PIL import Image

from tests.labels.damage import assert_sound, damaged
from wesam.labels.labelme import read_labelme


def png(mask: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8)).save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def shape(kind: str, points: list[list[float]], label: str = "cell", **more: Any) -> dict[str, Any]:
    return {"label": label, "points": points, "group_id": None, "shape_type": kind, "flags": {}, **more}


MASK = np.array([[1, 0, 1], [0, 1, 1]])
SHAPES = [
    shape("rectangle", [[30, 25], [10.5, 5]]),
    shape("polygon", [[5, 10], [25, 10], [25, 30], [5, 30]]),
    shape("point", [[10.5, 20.5]], group_id=1),
    shape("point", [[12.5, 20.5]], "negative", group_id=1),
    shape("circle", [[30, 20], [30, 25]]),
    shape("mask", [[20, 30], [22, 31]], mask=png(MASK)),
]


def file(**changes: Any) -> str:
    content = {"version": "5.5.0", "flags": {}, "shapes": SHAPES, "imagePath": "a.png", "imageData": None}
    return json.dumps({**content, "imageHeight": 40, "imageWidth": 60, **changes}, indent=1)


@pytest.fixture
def labels(photos: Path) -> Path:
    folder = photos.parent / "labels"
    (folder / "site").mkdir(parents=True)
    (folder / "a.json").write_text(file())
    other = file(shapes=[], imagePath="..\\..\\photos\\site\\b.jpg", imageHeight=50, imageWidth=80)
    (folder / "site" / "b.json").write_text(other)
    return folder


def test_every_shape(labels: Path, photos: Path) -> None:
    found = read_labelme(labels, photos)
    assert found.problems == ()
    assert [(sample.id, len(sample.instances)) for sample in found.samples] == [("a.png", 5), ("site/b.jpg", 0)]
    box, polygon, points, circle, mask = found.samples[0].instances
    assert (box.id, box.box, box.category) == ("a.json:shapes[0]", (10.5, 5, 30, 25), "cell")
    expected = np.zeros((40, 60), bool)
    expected[10:30, 5:25] = True
    np.testing.assert_array_equal(polygon.mask(), expected)
    assert (points.points, points.category) == (((10, 20, 1), (12, 20, 0)), "cell")
    assert abs(circle.mask().sum() - np.pi * 25) < 6
    expected = np.zeros((40, 60), bool)
    expected[30:32, 20:23] = MASK
    np.testing.assert_array_equal(mask.mask(), expected)


def test_polygons_of_one_group_and_label_are_one_object(labels: Path, photos: Path) -> None:
    left, right = [[0, 0], [9, 0], [9, 9], [0, 9]], [[20, 0], [29, 0], [29, 9], [20, 9]]
    shapes = [
        shape("polygon", left, group_id=3),
        shape("polygon", right, group_id=3),
        shape("polygon", left, "x", group_id=3),
    ]
    (labels / "a.json").write_text(file(shapes=shapes))
    both, other = read_labelme(labels, photos).samples[0].instances
    assert (both.mask().sum(), other.mask().sum()) == (162, 81)


def test_json_beside_the_images(photos: Path) -> None:
    (photos / "site" / "b.json").write_text(file(shapes=[], imagePath="b.jpg", imageHeight=50, imageWidth=80))
    found = read_labelme(photos, photos)
    assert found.problems == ()
    assert [sample.id for sample in found.samples] == ["site/b.jpg"]


@pytest.mark.parametrize(
    ("bad", "field", "message"),
    [
        (shape("rectangle", [[1, 2]]), ".points", "a list of 2 or 4 points"),
        (shape("rectangle", [[1, 2], [1, 9]]), ".points", "positive width"),
        (shape("rectangle", [[1, 2], [70, 9]]), ".points", "inside the image of 60 x 40"),
        (shape("rectangle", [[1, 2], [float("nan"), 9]]), ".points", "finite numbers"),
        (shape("rectangle", [[1, 2], ["3", 9]]), ".points", "finite numbers"),
        (shape("polygon", [[1, 2], [3, 4]]), ".points", "3 or more"),
        (shape("polygon", [[1, 2, 3], [3, 4, 5]]), ".points", r"\[x, y\]"),
        (shape("polygon", []), ".points", "a list of some points"),
        ({"label": "x", "points": "abc"}, ".points", "a list of some points"),
        (shape("point", [[80, 2]]), ".points", "a point inside the image"),
        (shape("circle", [[5, 5], [5, 5]]), ".points", "radii above 0"),
        (shape("mask", [[20, 30], [22, 31]], mask=None), ".points", "PNG in base64, got None"),
        (shape("mask", [[20, 30], [22, 31]], mask="???"), ".points", "PNG in base64"),
        (shape("mask", [[20, 30], [22, 31]], mask=png(MASK)[:60]), ".points", "PNG in base64"),
        (shape("mask", [[20, 30], [22, 31]], mask=png(np.ones((41, 2)))), ".points", "no larger than the image"),
        (shape("mask", [[59, 30], [61, 31]], mask=png(MASK)), ".points", "a mask inside the image"),
        (shape("mask", [[1, 1], [3, 3]], mask=png(0 * MASK)), ".points", "an empty one"),
        ("text", "", "expected an object"),
    ],
)
def test_bad_shapes(labels: Path, photos: Path, bad: object, field: str, message: str) -> None:
    (labels / "a.json").write_text(file(shapes=[SHAPES[0], bad]))
    found = read_labelme(labels, photos)
    (problem,) = found.problems
    assert (problem.severity, problem.file, problem.field) == ("skip", "a.json", f"shapes[1]{field}")
    assert re.search(message, problem.message)
    assert len(found.samples[0].instances) == 1


@pytest.mark.parametrize("kind", ["line", "linestrip", None, ["polygon"]])
def test_shapes_that_are_not_read_are_noted(labels: Path, photos: Path, kind: Any) -> None:
    (labels / "a.json").write_text(file(shapes=[shape(kind, [[1, 2], [3, 4]])]))
    (problem,) = read_labelme(labels, photos).problems
    assert (problem.severity, problem.field) == ("note", "shapes[0].shape_type")


@pytest.mark.parametrize(
    ("text", "field", "message"),
    [
        (file()[:300], "", "line .* expected JSON"),
        ("[]", "", "expected labelme JSON"),
        (file(shapes=None), "", "expected labelme JSON"),
        (file(imagePath=None), "imagePath", "got None"),
        (file(imagePath="c.png"), "imagePath", "found none"),
        (file(imagePath="../secret.png"), "imagePath", "found none"),
        (file(imagePath="/etc/passwd"), "imagePath", "found none"),
        (file(imagePath=".."), "imagePath", "expected a path to an image"),
        (file(imageWidth=600), "imageWidth", "expected 60 x 40 px.*got 600 x 40"),
    ],
)
def test_a_bad_file_costs_only_itself(labels: Path, photos: Path, text: str, field: str, message: str) -> None:
    (labels / "a.json").write_text(text)
    found = read_labelme(labels, photos)
    (problem,) = found.problems
    assert (problem.severity, problem.file, problem.field) == ("skip", "a.json", field)
    assert re.search(message, str(problem))
    assert [sample.id for sample in found.samples] == ["site/b.jpg"]


def test_no_files_are_fatal(photos: Path) -> None:
    assert [p.severity for p in read_labelme(photos, photos).problems] == ["fatal"]


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damaged(file()))
def test_no_damage_raises(labels: Path, photos: Path, text: str) -> None:
    (labels / "a.json").write_text(text, newline="")
    assert_sound(read_labelme(labels, photos))


def test_rectangles_with_four_corners_and_turned_ones(labels: Path, photos: Path) -> None:
    """As X-AnyLabeling writes them."""
    corners = [[10, 5], [30, 5], [30, 25], [10, 25]]
    turned = shape("rotation", [[20, 5], [30, 15], [20, 25], [10, 15]], direction=0.8)
    (labels / "a.json").write_text(file(shapes=[shape("rectangle", corners), turned]))
    found = read_labelme(labels, photos)
    assert found.problems == ()
    assert [instance.box for instance in found.samples[0].instances] == [(10, 5, 30, 25)] * 2


def test_copied_files_that_still_name_the_first_image(labels: Path, photos: Path) -> None:
    Image.new("RGB", (60, 40)).save(photos / "copy.png")
    for name in ("a", "copy"):
        (labels / f"{name}.json").write_text(file(shapes=SHAPES[:1]))
    found = read_labelme(labels, photos)
    assert {sample.id: len(sample.instances) for sample in found.samples}.items() >= {"a.png": 1, "copy.png": 1}.items()
    assert "'./a.png' has other labels; these are taken for 'copy.png'" in "\n".join(map(str, found.problems))


def test_two_files_of_one_image_are_both_used(labels: Path, photos: Path) -> None:
    (labels / "a.json").write_text(file(shapes=SHAPES[:1]))
    (labels / "more.json").write_text(file(shapes=SHAPES[:2]))
    found = read_labelme(labels, photos)
    assert len(found.samples[0].instances) == 2
    assert "'a.png' is labelled again" in "\n".join(map(str, found.problems))
