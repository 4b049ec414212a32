from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from tests.labels.damage import assert_sound, damaged
from tests.labels.test_brush_rle import encode
from wesam.labels.label_set import LabelSet
from wesam.labels.label_studio import read_label_studio

BRUSH = np.zeros((40, 60), np.uint8)
BRUSH[10:14, 20:30] = 1


def region(kind: str, value: dict[str, Any], label: str = "cell", **more: Any) -> dict[str, Any]:
    return {
        "id": f"r{len(more)}{kind}{label}",
        "type": kind,
        "from_name": "tag",
        "to_name": "image",
        "original_width": 60,
        "original_height": 40,
        "image_rotation": 0,
        "value": {**value, kind: [label]},
        "origin": "manual",
        **more,
    }


RECTANGLE = region("rectanglelabels", {"x": 50, "y": 25, "width": 25, "height": 50, "rotation": 0})
TURNED = region("rectanglelabels", {"x": 50, "y": 25, "width": 20, "height": 50, "rotation": 90}, "turned")
POLYGON = region("polygonlabels", {"points": [[10, 25], [50, 25], [50, 75], [10, 75]], "closed": True})
POINT = region("keypointlabels", {"x": 17.5, "y": 51.25, "width": 0.5})
OFF = region("keypointlabels", {"x": 2.5, "y": 6.25, "width": 0.5}, "Negative")
ELLIPSE = region("ellipselabels", {"x": 50, "y": 50, "radiusX": 10, "radiusY": 25, "rotation": 0})
PAINTED = region("brushlabels", {"format": "rle", "rle": encode(BRUSH)})
CHOICE = {"id": "c", "type": "choices", "value": {"choices": ["sharp"]}, "from_name": "q", "to_name": "image"}
RESULT = [RECTANGLE, TURNED, POLYGON, POINT, OFF, ELLIPSE, PAINTED, CHOICE]


def tasks(result: object = RESULT, image: object = "/data/upload/3/1a2b3c4d-a.png", **more: Any) -> list[Any]:
    annotation = {"id": 11, "completed_by": 1, "was_cancelled": False, "result": result}
    return [
        {"id": 7, "annotations": [annotation], "data": {"image": image}, "predictions": [], **more},
        {"id": 8, "annotations": [], "data": {"image": "/data/local-files/?d=cells/site/b.jpg"}},
    ]


@pytest.fixture
def labels(photos: Path) -> Path:
    path = photos.parent / "project-4.json"
    path.write_text(json.dumps(tasks()))
    return path


def test_every_shape(labels: Path, photos: Path) -> None:
    found = read_label_studio(labels, photos)
    assert found.problems == ()
    assert [(sample.id, len(sample.instances)) for sample in found.samples] == [("a.png", 6), ("site/b.jpg", 0)]
    box, turned, polygon, point, ellipse, painted = found.samples[0].instances
    assert (box.box, box.category) == ((30, 10, 45, 30), "cell")
    assert box.id == "project-4.json:[0].annotations[0].result[0].value"
    assert turned.box == pytest.approx((10, 10, 30, 22))  # about its upper left corner
    expected = np.zeros((40, 60), bool)
    expected[10:30, 6:30] = True
    np.testing.assert_array_equal(polygon.mask(), expected)
    assert (point.points, point.category) == (((10, 20, 1), (1, 2, 0)), "cell")
    assert abs(ellipse.mask().sum() - np.pi * 60) < 10
    np.testing.assert_array_equal(painted.mask(), BRUSH > 0)


@pytest.mark.parametrize(
    "image",
    [
        "a.png",
        "/data/upload/3/a.png",
        "https://example.org/cells/a.png?token=1#x",
        "s3://bucket/cells/a.png",
        "/data/local-files/?d=cells%2Fa.png",
        "C:\\cells\\a.png",
        "../../photos/a.png",
        "http://[oops/a.png",
    ],
)
def test_paths_and_addresses(labels: Path, photos: Path, image: str) -> None:
    labels.write_text(json.dumps(tasks(image=image)))
    assert [sample.id for sample in read_label_studio(labels, photos).samples] == ["a.png", "site/b.jpg"]


def test_shape_and_label_in_two_results_of_one_id(labels: Path, photos: Path) -> None:
    bare = {**RECTANGLE, "type": "rectangle", "value": {"x": 50, "y": 25, "width": 25, "height": 50, "rotation": 0}}
    named = {**RECTANGLE, "type": "labels", "value": {**bare["value"], "labels": ["nucleus"]}}
    labels.write_text(json.dumps(tasks([bare, named])))
    (instance,) = read_label_studio(labels, photos).samples[0].instances
    assert (instance.box, instance.category) == ((30, 10, 45, 30), "nucleus")


def test_points_inside_a_region_belong_to_it(labels: Path, photos: Path) -> None:
    inside = [{**POINT, "parentID": RECTANGLE["id"]}, {**OFF, "parentID": RECTANGLE["id"]}]
    labels.write_text(json.dumps(tasks([*inside, RECTANGLE, POLYGON])))
    box, polygon = read_label_studio(labels, photos).samples[0].instances
    assert (box.box, sorted(box.points)) == ((30, 10, 45, 30), [(1, 2, 0), (10, 20, 1)])
    assert polygon.points == ()


def test_a_point_inside_a_region_belongs_to_it_whatever_its_label(labels: Path, photos: Path) -> None:
    centre = region("keypointlabels", {"x": 17.5, "y": 51.25, "width": 0.5}, "centre", parentID=RECTANGLE["id"])
    for results in ([centre, RECTANGLE], [RECTANGLE, centre]):
        labels.write_text(json.dumps(tasks(results)))
        (instance,) = read_label_studio(labels, photos).samples[0].instances
        assert (instance.box, instance.points, instance.category) == ((30, 10, 45, 30), ((10, 20, 1),), "cell")


def test_the_first_annotation_that_counts(labels: Path, photos: Path) -> None:
    annotations = [
        {"was_cancelled": True, "result": [POLYGON]},
        {"result": [RECTANGLE]},
        {"result": [POLYGON, POINT]},
    ]
    labels.write_text(json.dumps(tasks(annotations=annotations)))
    found = read_label_studio(labels, photos)
    assert [(p.severity, p.field) for p in found.problems] == [("note", "[0].annotations")]
    assert [instance.box for instance in found.samples[0].instances] == [(30, 10, 45, 30)]


def changed(result: dict[str, Any], **value: Any) -> dict[str, Any]:
    return {**result, "id": "bad", "value": {**result["value"], **value}}


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (changed(RECTANGLE, x=None), "x and y as percentages"),
        (changed(RECTANGLE, x=float("nan")), "x and y as percentages"),
        (changed(RECTANGLE, x=90), "inside the image of 60 x 40 px"),
        (changed(RECTANGLE, width=0), "positive width"),
        (changed(RECTANGLE, height="5"), "width and height as percentages"),
        (changed(RECTANGLE, rotation="x"), "rotation as a finite number"),
        (changed(POLYGON, points=[[1, 2], [3, 4]]), "3 or more"),
        (changed(POLYGON, points=[[1, 2, 3]] * 4), "pairs of percentages"),
        (changed(POLYGON, points=5), "pairs of percentages"),
        (changed(POINT, x=150), "a point inside the image"),
        (changed(ELLIPSE, radiusX=0), "radii above 0"),
        (changed(PAINTED, rle=encode(BRUSH)[:-9]), "complete"),
        (changed(PAINTED, rle=encode(BRUSH[1:])), "4 a pixel of 60 x 40"),
        (changed(PAINTED, rle=encode(0 * BRUSH)), "an empty one"),
        (changed(PAINTED, rle="aGVsbG8="), "numbers from 0 to 255"),
        ({**RECTANGLE, "id": "bad", "image_rotation": 90}, "image_rotation 90"),
        ({**RECTANGLE, "id": "bad", "original_width": 600}, "expected 60 x 40 px.*got 600 x 40"),
        ({"type": "rectanglelabels", "value": "x"}, "expected an object, got 'x'"),
    ],
)
def test_bad_regions(labels: Path, photos: Path, bad: dict[str, Any], message: str) -> None:
    labels.write_text(json.dumps(tasks([RECTANGLE, bad])))
    found = read_label_studio(labels, photos)
    (problem,) = found.problems
    assert (problem.severity, problem.file) == ("skip", "project-4.json")
    assert problem.field == "[0].annotations[0].result[1].value"
    assert re.search(message, problem.message)
    assert len(found.samples[0].instances) == 1


def test_shapes_that_are_not_read_are_noted(labels: Path, photos: Path) -> None:
    labels.write_text(json.dumps(tasks([{"id": "v", "type": "videorectangle", "value": {"sequence": []}}])))
    (problem,) = read_label_studio(labels, photos).problems
    assert problem.severity == "note"
    assert "videorectangle" in problem.message


@pytest.mark.parametrize(
    ("first", "field", "message"),
    [
        ("text", "", "expected an object"),
        (tasks(image="c.png")[0], ".data", "found none"),
        (tasks(image="../secret.png")[0], ".data", "found none"),
        (tasks(image="/data/local-files/?d=../../etc/passwd")[0], ".data", "found none"),
        (tasks(image=5)[0], ".data", "path or address of an image"),
        ({"data": None, "annotations": []}, ".data", "path or address of an image"),
        (tasks(annotations={})[0], ".annotations", "expected a list"),
        (tasks(5)[0], ".annotations[0].result", "expected a list"),
        (tasks([5])[0], ".annotations[0].result[0]", "expected an object"),
    ],
)
def test_bad_tasks(labels: Path, photos: Path, first: Any, field: str, message: str) -> None:
    labels.write_text(json.dumps([first, tasks()[1]]))
    problem = read_label_studio(labels, photos).problems[0]
    assert (problem.severity, problem.field) == ("skip", f"[0]{field}")
    assert re.search(message, problem.message)


def read_labels_of(labels: Path, photos: Path, content: Any) -> LabelSet:
    labels.write_text(json.dumps(content))
    return read_label_studio(labels, photos)


def test_two_tasks_of_one_image(labels: Path, photos: Path) -> None:
    labels.write_text(json.dumps(tasks() * 2))
    once = read_labels_of(labels, photos, tasks())
    found = read_labels_of(labels, photos, tasks() * 2)
    assert [len(sample.instances) for sample in found.samples] == [len(sample.instances) for sample in once.samples]
    assert {problem.severity for problem in found.problems} == {"note"}
    assert "'a.png' is labelled again; all its labels are used, equal ones once" in str(found.problems[-2])
    other = json.loads(json.dumps(tasks([{**RECTANGLE, "value": {**RECTANGLE["value"], "x": 1}}])))
    merged = read_labels_of(labels, photos, [*tasks([RECTANGLE]), other[0]])
    assert len(merged.samples[0].instances) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (json.dumps(tasks())[:200], "project-4.json: line 1 column .*expected JSON"),
        ("{}", "a list of tasks, got a dict"),
        (json.dumps([{"image": "a.png", "label": [RECTANGLE["value"]]}]), "choose JSON, not JSON-MIN"),
        (
            json.dumps([{"image_id": 1, "category_id": 1, "bbox": [1, 1, 9, 9], "score": 0.5}]),
            "results in COCO's format",
        ),
    ],
)
def test_what_is_not_label_studio_is_fatal(labels: Path, photos: Path, text: str, message: str) -> None:
    labels.write_text(text)
    (problem,) = read_label_studio(labels, photos).problems
    assert problem.severity == "fatal"
    assert re.search(message, problem.message)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damaged(json.dumps(tasks([*RESULT[:6], {**POINT, "id": "k", "parentID": RECTANGLE["id"]}]))))
def test_no_damage_raises(labels: Path, photos: Path, text: str) -> None:
    labels.write_text(text, newline="")
    assert_sound(read_label_studio(labels, photos))


def test_the_ground_truth_counts_else_the_first_that_marks_anything(labels: Path, photos: Path) -> None:
    (task, *_) = tasks()
    (annotation,) = task["annotations"]
    empty = {**annotation, "result": []}
    for several, place in (
        ([empty, annotation], 1),
        ([annotation, {**annotation, "ground_truth": True}], 1),
        ([annotation, annotation], 0),
    ):
        labels.write_text(json.dumps([{**task, "annotations": several}]))
        found = read_label_studio(labels, photos)
        assert [p.message for p in found.problems] == [f"2 annotations of one image; [0].annotations[{place}] counts"]
        assert len(found.samples[0].instances) == 6


def test_names_as_uploads_have_them(labels: Path, photos: Path) -> None:
    (photos / "a.png").rename(photos / "Plate A+1 (DAPI).png")
    labels.write_text(json.dumps(tasks(image="/data/upload/1/1a2b3c4d-Plate_A1_DAPI.png")))
    found = read_label_studio(labels, photos)
    assert found.problems == ()
    assert found.samples[0].id == "Plate A+1 (DAPI).png"


def pair(names: tuple[str, str] = ("before", "after")) -> list[dict[str, Any]]:
    """A region on each of two images of a task."""
    return [
        {**RECTANGLE, "id": "1", "to_name": names[0]},
        {**POINT, "id": "2", "to_name": names[1], "original_width": 80, "original_height": 50},
        {**CHOICE, "to_name": "text"},
    ]


def test_the_images_of_a_task_have_their_own_regions(labels: Path, photos: Path) -> None:
    (task, _) = tasks(pair())
    task["data"] = {"text": "b.jpg", "before": "/data/upload/1/1a2b3c4d-a.png", "after": "s3://x/site/b.jpg"}
    labels.write_text(json.dumps([task]))
    found = read_label_studio(labels, photos)
    assert found.problems == ()
    assert [(sample.id, [i.box for i in sample.instances]) for sample in found.samples] == [
        ("a.png", [(30, 10, 45, 30)]),
        ("site/b.jpg", [None]),
    ]
    labels.write_text(json.dumps([{**task, "data": {**task["data"], "after": "c.png"}}]))
    found = read_label_studio(labels, photos)
    assert [sample.id for sample in found.samples] == ["a.png"]
    assert [problem.field for problem in found.problems] == ["[0].data.after"]


def test_regions_on_several_images_whose_names_are_no_keys(labels: Path, photos: Path) -> None:
    (task, _) = tasks(pair(("left", "after")))
    task["data"] = {"before": "a.png", "after": "site/b.jpg"}
    labels.write_text(json.dumps([task]))
    found = read_label_studio(labels, photos)
    (problem,) = found.problems
    assert (found.samples, problem.severity, problem.field) == ((), "skip", "[0].data")
    assert problem.message == (
        "expected regions on one image, or their 'to_name' among before, after, got ['left', 'after']"
    )


def test_a_region_says_which_text_is_the_image(labels: Path, photos: Path) -> None:
    (task, _) = tasks([{**POLYGON, "to_name": "after", "original_width": 80, "original_height": 50}])
    task["data"] = {"before": "a.png", "after": "site/b.jpg"}
    labels.write_text(json.dumps([task]))
    assert [sample.id for sample in read_label_studio(labels, photos).samples] == ["site/b.jpg"]


def test_the_message_about_a_missing_image_speaks_of_the_image(labels: Path, photos: Path) -> None:
    (task, _) = tasks([])
    labels.write_text(json.dumps([{**task, "data": {"text": "cell", "url": "s3://x/zz.png"}}]))
    (problem,) = read_label_studio(labels, photos).problems
    assert re.search(r"zz\.png', found none", problem.message)
