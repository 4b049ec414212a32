from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as coco_mask

from tests.labels.conftest import CocoSet
from wesam.labels.coco import read_coco
from wesam.labels.problems import Problem


def problems(coco: CocoSet) -> list[Problem]:
    return list(read_coco(coco.labels, coco.images).problems)


def told(coco: CocoSet) -> list[tuple[str, str]]:
    return [(problem.severity, problem.field) for problem in problems(coco)]


def test_boxes_alone(coco: CocoSet) -> None:
    coco.json["categories"] = [{"id": 7, "name": "cell"}]
    coco.add(id=5, bbox=[10, 11, 20, 15.5], category_id=7)
    coco.add(id=6, bbox=[0, 0, 60, 40])
    found = read_coco(coco.labels, coco.images)
    assert found.problems == ()
    (sample,) = found.samples
    assert (sample.id, sample.path, sample.width, sample.height) == ("a.png", coco.images / "a.png", 60, 40)
    first, second = sample.instances
    assert (first.id, first.box, first.category, first.rle) == ("5", (10, 11, 30, 26.5), "cell", None)
    assert (second.id, second.box, second.category) == ("6", (0, 0, 60, 40), "")


def test_the_least_that_is_read(coco: CocoSet) -> None:
    coco.json = {
        "images": [{"id": "one", "file_name": "a.png"}],
        "annotations": [{"image_id": "one", "bbox": [1, 2, 3, 4]}, {"image_id": "one", "bbox": [1, 2, 3, 4]}],
    }
    found = read_coco(coco.labels, coco.images)
    assert found.problems == ()
    assert [instance.id for instance in found.samples[0].instances] == ["#0", "#1"]


def test_whole_ids_may_be_written_as_fractions(coco: CocoSet) -> None:
    coco.json["images"][0]["id"] = 1.0
    coco.json["categories"] = [{"id": 2, "name": "cell"}]
    coco.add(id=3.0, category_id=2.0)
    coco.add(id=4, image_id=1.0, category_id=2)
    found = read_coco(coco.labels, coco.images)
    assert found.problems == ()
    assert [(instance.id, instance.category) for instance in found.samples[0].instances] == [
        ("3", "cell"),
        ("4", "cell"),
    ]


def test_every_kind_of_segmentation_becomes_the_same_mask(coco: CocoSet) -> None:
    expected = np.zeros((40, 60), bool)
    expected[10:30, 5:25] = True
    runs = [5 * 40 + 10, *[20, 20] * 19, 20, 34 * 40 + 50]
    runs[-1] = 40 * 60 - sum(runs[:-1])
    compressed = coco_mask.encode(np.asfortranarray(expected.astype(np.uint8)))["counts"].decode()
    for segmentation in (
        [[5, 10, 25, 10, 25, 30, 5, 30]],
        {"size": [40, 60], "counts": runs},
        {"size": [40, 60], "counts": compressed},
    ):
        coco.add(segmentation=segmentation)
    coco.json["annotations"][0].pop("bbox")
    found = read_coco(coco.labels, coco.images)
    assert found.problems == ()
    assert found.samples[0].instances[0].box is None
    for instance in found.samples[0].instances:
        assert isinstance(instance.rle["counts"], bytes)
        np.testing.assert_array_equal(instance.mask(), expected)


@pytest.mark.parametrize("nothing", [None, [], {}, ""])
def test_an_empty_segmentation_is_none(coco: CocoSet, nothing: object) -> None:
    coco.add(segmentation=nothing)
    found = read_coco(coco.labels, coco.images)
    assert found.problems == ()
    assert found.samples[0].instances[0].rle is None


def test_crowds_are_left_out(coco: CocoSet) -> None:
    coco.add(iscrowd=1, segmentation={"size": [40, 60], "counts": [0, 2400]})
    coco.add(iscrowd=0)
    found = read_coco(coco.labels, coco.images)
    assert [instance.id for instance in found.samples[0].instances] == ["101"]
    assert [(p.severity, p.message) for p in found.problems] == [("note", "1 crowd regions (iscrowd) are left out")]


BAD_BOXES = [
    ([10, 10, -5, 5], "positive width and height, got -5 x 5"),
    ([10, 10, 0, 5], "positive width and height"),
    ([10, 10, math.nan, 5], "4 finite numbers .* got .*nan"),
    ([math.inf, 10, 5, 5], "4 finite numbers"),
    ([10, 10, 5], "got 3 numbers"),
    ([10, 10, 5, 5, 0.9], "got 5 numbers"),
    ([], "got 0 numbers"),
    (["10", "10", "5", "5"], "4 finite numbers"),
    ("10 10 5 5", "4 finite numbers"),
    ({"x": 1}, "4 finite numbers"),
    ([55, 10, 20, 5], "inside the image of 60 x 40 px, got x 55 to 75"),
    ([-10, 10, 20, 5], "inside the image"),
    ([100, 100, 5, 5], "inside the image"),
    ([1e308, 1, 1e308, 1], "inside the image"),
]


@pytest.mark.parametrize(("box", "message"), BAD_BOXES)
def test_bad_boxes(coco: CocoSet, box: object, message: str) -> None:
    coco.add()
    coco.add(bbox=box)
    found = read_coco(coco.labels, coco.images)
    (problem,) = found.problems
    assert (problem.severity, problem.file, problem.field) == ("skip", "labels.json", "annotations[1].bbox")
    assert re.search(message, problem.message)
    assert [instance.id for instance in found.samples[0].instances] == ["100"]


def test_an_overshoot_of_rounding_is_clipped_silently(coco: CocoSet) -> None:
    coco.add(bbox=[-0.6, -1, 62.4, 42])
    found = read_coco(coco.labels, coco.images)
    assert found.problems == ()
    assert found.samples[0].instances[0].box == (0, 0, 60, 40)


BAD_ANNOTATIONS: list[tuple[dict[str, Any], str]] = [
    ({"image_id": 9}, ".image_id"),
    ({"image_id": None}, ".image_id"),
    ({"image_id": "2"}, ".image_id"),
    ({"image_id": "9" * 5000}, ".image_id"),
    ({"image_id": [1]}, ".image_id"),
    ({"id": [1]}, ".id"),
    ({"id": True}, ".id"),
    ({"id": 1.5}, ".id"),
    ({"id": math.nan}, ".id"),
    ({"bbox": None}, ""),
    ({"bbox": None, "segmentation": [[1, 2, 3, 4]]}, ".segmentation"),
]

SQUARE = [5, 10, 25, 10, 25, 30, 5, 30]
BAD_SEGMENTATIONS: list[object] = [
    [[1, 2, 3, 4]],
    [1, 2, 3, 4, 5, 6],  # a line
    [1, 2, "x"],
    "abc",
    {"size": [60, 40], "counts": [0, 2400]},
    {"counts": [0, 2400]},
]


@pytest.mark.parametrize(("entry", "field"), BAD_ANNOTATIONS)
def test_bad_annotations(coco: CocoSet, entry: dict[str, Any], field: str) -> None:
    coco.add()
    coco.add(**entry)
    found = read_coco(coco.labels, coco.images)
    assert [(p.severity, p.field) for p in found.problems] == [("skip", f"annotations[1]{field}")]
    assert [instance.id for instance in found.samples[0].instances] == ["100"]


@pytest.mark.parametrize("segmentation", BAD_SEGMENTATIONS)
def test_a_bad_segmentation_costs_a_good_box_nothing(coco: CocoSet, segmentation: object) -> None:
    coco.add(segmentation=segmentation)
    found = read_coco(coco.labels, coco.images)
    assert [(p.severity, p.field) for p in found.problems] == [("note", "annotations[0].segmentation")]
    assert found.problems[0].message.endswith("its bbox is used without it")
    (instance,) = found.samples[0].instances
    assert (instance.box, instance.rle) == ((10, 10, 30, 25), None)


@pytest.mark.parametrize("box", [box for box, _ in BAD_BOXES])
def test_a_bad_box_costs_a_good_segmentation_nothing(coco: CocoSet, box: object) -> None:
    coco.add(bbox=box, segmentation=[SQUARE])
    found = read_coco(coco.labels, coco.images)
    assert [(p.severity, p.field) for p in found.problems] == [("note", "annotations[0].bbox")]
    assert found.problems[0].message.endswith("its segmentation is used without it")
    (instance,) = found.samples[0].instances
    assert (instance.box, instance.mask().sum()) == (None, 400)


@pytest.mark.parametrize("segmentation", [[], [[]], None])
def test_no_segmentation_is_none(coco: CocoSet, segmentation: object) -> None:
    coco.add(segmentation=segmentation)
    found = read_coco(coco.labels, coco.images)
    assert found.problems == ()
    assert found.samples[0].instances[0].rle is None


@pytest.mark.parametrize("segmentation", [SQUARE, [SQUARE, [1, 2, 3, 4]]])
def test_a_polygon_without_its_list_and_crumbs_beside_one(coco: CocoSet, segmentation: object) -> None:
    coco.add(segmentation=segmentation)
    found = read_coco(coco.labels, coco.images)
    assert found.problems == ()
    assert found.samples[0].instances[0].mask().sum() == 400


def test_ids_that_are_numbers_here_and_text_there(coco: CocoSet) -> None:
    """As VIA writes them."""
    coco.add(image_id="1")
    coco.add_image("b.png", id="2")
    coco.add(image_id=2)
    found = read_coco(coco.labels, coco.images)
    assert found.problems == ()
    assert [len(sample.instances) for sample in found.samples] == [1, 1]


def test_masks_that_cvat_calls_crowds_are_objects(coco: CocoSet) -> None:
    runs = {"size": [40, 60], "counts": [410, 20, 20, 20, 1930]}
    coco.add(segmentation=runs, iscrowd=1, attributes={"occluded": False})
    coco.add(segmentation=runs, iscrowd=1, attributes={"is_crowd": True})
    coco.add(segmentation=runs, iscrowd=1)
    found = read_coco(coco.labels, coco.images)
    assert [p.message for p in found.problems] == ["2 crowd regions (iscrowd) are left out"]
    assert [instance.mask().sum() for instance in found.samples[0].instances] == [40]


def test_a_folder_with_one_file(coco: CocoSet) -> None:
    """As Roboflow has it."""
    coco.add()
    coco.labels.rename(coco.images / "_annotations.coco.json")
    found = read_coco(coco.images, coco.images)
    assert found.problems == ()
    assert len(found.samples[0].instances) == 1
    (coco.images / "other.json").write_text("{}")
    (problem,) = read_coco(coco.images, coco.images).problems
    assert problem.severity == "fatal"
    assert "or a folder with one JSON file, got 2: _annotations.coco.json, other.json" in problem.message


def test_names_from_where_the_labels_were_made(coco: CocoSet) -> None:
    """As Label Studio exports them."""
    coco.json["images"][0]["file_name"] = "..\\..\\label-studio\\upload\\4\\cb0618f6-a.png"
    coco.add()
    found = read_coco(coco.labels, coco.images)
    assert found.problems == ()
    assert [sample.id for sample in found.samples] == ["a.png"]


def test_every_problem_of_an_annotation_is_told_at_once(coco: CocoSet) -> None:
    coco.add(id=1.5, image_id=9, bbox=[0, 0, -1, 1])
    coco.add(bbox=[0], segmentation="x")
    coco.json["annotations"].append("not an object")
    assert told(coco) == [
        ("skip", "annotations[0].id"),
        ("skip", "annotations[0].image_id"),
        ("skip", "annotations[0].bbox"),
        ("skip", "annotations[1].bbox"),
        ("skip", "annotations[1].segmentation"),
        ("skip", "annotations[2]"),
    ]


def test_an_unusable_category_costs_only_its_name(coco: CocoSet) -> None:
    coco.json["categories"] = [{"id": [3]}, "x", {"id": 2}]
    for category in ([3], 2, {}, None, 9):
        coco.add(category_id=category)
    found = read_coco(coco.labels, coco.images)
    assert [(p.severity, p.field) for p in found.problems] == [("note", "annotations")]
    assert found.problems[0].message.startswith("3 annotations have a category_id that is not in categories")
    assert [instance.category for instance in found.samples[0].instances] == [""] * 5


def test_keypoints_are_points(coco: CocoSet) -> None:
    coco.json["categories"] = [{"id": 1, "name": "cell", "keypoints": ["nose", "tail", "-", "negative 2"]}]
    coco.add(category_id=1, bbox=None, keypoints=[0, 0, 2, 59.4, 39, 1, 5, 6, 2, 0, 0, 0])
    coco.add(category_id=1, keypoints=[3, 4, 2])
    coco.add(keypoints=[3, 4, 2, 5, 6, 2])
    coco.add(category_id=1, keypoints=[0, 0, 0, 0, 0, 0])
    coco.add(keypoints=[])
    found = read_coco(coco.labels, coco.images)
    assert found.problems == ()
    first, second, third, *rest = found.samples[0].instances
    assert (first.points, first.box) == (((0, 0, 1), (59, 39, 1), (5, 6, 0)), None)
    assert (second.points, second.box) == (((3, 4, 1),), (10, 10, 30, 25))
    assert third.points == ((3, 4, 1), (5, 6, 1))
    assert [instance.points for instance in rest] == [(), ()]


@pytest.mark.parametrize(
    ("keypoints", "message"),
    [
        ([1, 2], "3 numbers each, got 2"),
        ([1, 2, 3], "visibility of 0, 1 or 2, got 3"),
        ([math.nan, 2, 2], "finite numbers"),
        (["1", 2, 2], "finite numbers"),
        ({"x": 1}, "finite numbers"),
        ([70, 2, 2], "a point inside the image of 60 x 40 px, got x 70, y 2"),
    ],
)
def test_bad_keypoints(coco: CocoSet, keypoints: object, message: str) -> None:
    coco.add(keypoints=keypoints)
    (problem,) = read_coco(coco.labels, coco.images).problems
    assert (problem.severity, problem.field) == ("skip", "annotations[0].keypoints")
    assert re.search(message, problem.message)


def test_an_annotation_of_unseen_keypoints_alone_says_nothing(coco: CocoSet) -> None:
    coco.add(bbox=None, keypoints=[0, 0, 0])
    (problem,) = read_coco(coco.labels, coco.images).problems
    assert "expected bbox, segmentation or keypoints" in problem.message


BAD_IMAGES: list[tuple[object, str, str]] = [
    ("text", "", "expected an object"),
    ({"file_name": "a.png"}, ".id", "got None"),
    ({"id": {}, "file_name": "a.png"}, ".id", "expected a whole number or text"),
    ({"id": 2}, ".file_name", "got None"),
    ({"id": 2, "file_name": ""}, ".file_name", "name of an image file"),
    ({"id": 2, "file_name": 5}, ".file_name", "got 5"),
    ({"id": 2, "file_name": "b.png"}, ".file_name", "found none"),
    ({"id": 2, "file_name": "../secret.png"}, ".file_name", "inside the image folder"),
    ({"id": 2, "file_name": "/etc/passwd"}, ".file_name", "inside the image folder"),
    ({"id": 2, "file_name": "text.png"}, ".file_name", "text.png: expected an image"),
    ({"id": 2, "file_name": "wide.png", "width": 60, "height": 40}, ".width", "expected 30 x 20 px.*got 60 x 40"),
    ({"id": 2, "file_name": "wide.png", "width": 20, "height": 30}, ".width", "EXIF"),
]


@pytest.mark.parametrize(("entry", "field", "message"), BAD_IMAGES)
def test_bad_images(coco: CocoSet, entry: object, field: str, message: str) -> None:
    (coco.images / "text.png").write_text("not an image")
    Image.new("L", (30, 20)).save(coco.images / "wide.png")
    coco.json["images"].append(entry)
    coco.add()
    found = read_coco(coco.labels, coco.images)
    (problem,) = found.problems
    assert (problem.severity, problem.field) == ("skip", f"images[1]{field}")
    assert re.search(message, problem.message)
    assert [(sample.id, len(sample.instances)) for sample in found.samples] == [("a.png", 1)]


@pytest.mark.parametrize("size", [(0, 0), (None, None), ("60", "40"), (-1, -1), (60.0, 40.0)])
def test_a_size_that_says_nothing_is_no_mismatch(coco: CocoSet, size: tuple[object, object]) -> None:
    coco.json["images"][0].update(width=size[0], height=size[1])
    coco.add()
    assert problems(coco) == []


def test_the_upright_size_counts(coco: CocoSet) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (60, 40)).save(coco.images / "turned.jpg", exif=exif)
    coco.json["images"].append({"id": 2, "file_name": "turned.jpg", "width": 40, "height": 60})
    coco.add(image_id=2, bbox=[0, 0, 40, 60])
    found = read_coco(coco.labels, coco.images)
    assert found.problems == ()
    assert (found.samples[1].width, found.samples[1].height) == (40, 60)


def test_annotations_of_an_unusable_image_are_counted_once(coco: CocoSet) -> None:
    coco.json["images"].append({"id": 2, "file_name": "missing.png"})
    coco.add(image_id=2)
    coco.add(image_id=2)
    assert told(coco) == [("skip", "images[1].file_name"), ("note", "annotations")]
    assert problems(coco)[1].message.startswith("2 annotations")


def test_one_image_id_for_two_files_leaves_both_out(coco: CocoSet) -> None:
    coco.add_image("b.png", id=1)
    coco.add_image("c.png", id=2)
    coco.add()
    coco.add(image_id=2)
    found = read_coco(coco.labels, coco.images)
    assert [sample.id for sample in found.samples] == ["c.png"]
    assert ("skip", "images[1].id") in [(p.severity, p.field) for p in found.problems]
    assert "cannot be told apart" in found.problems[0].message


def test_an_image_listed_twice_is_used_once(coco: CocoSet) -> None:
    coco.json["images"] *= 2
    coco.add()
    found = read_coco(coco.labels, coco.images)
    assert [(sample.id, len(sample.instances)) for sample in found.samples] == [("a.png", 1)]
    assert [(p.severity, p.field) for p in found.problems] == [("note", "images[1].id")]


def test_an_image_listed_under_two_ids_has_the_annotations_of_both_each_once(coco: CocoSet) -> None:
    coco.json["images"].append({**coco.json["images"][0], "id": 2})
    for image_id, left in ((1, 10), (2, 10), (2, 12)):
        coco.add(image_id=image_id, bbox=[left, 10, 20, 15])
    found = read_coco(coco.labels, coco.images)
    assert [(p.severity, p.field, "of both" in p.message) for p in found.problems] == [
        ("note", "images[1].file_name", True)
    ]
    assert [one.box for one in found.samples[0].instances] == [(10, 10, 30, 25), (12, 10, 32, 25)]


@pytest.mark.parametrize("ids", [[0, 0, 0, 0], [1, 2, 1, 2], ["x", "x", "y", "y"]])
def test_ids_that_repeat_or_restart_cost_nothing(coco: CocoSet, ids: list[object]) -> None:
    coco.add_image("b.png")
    for index, annotation_id in enumerate(ids):
        coco.add(id=annotation_id, image_id=1 + index // 2, bbox=[5 * index, 10, 20, 15])
    found = read_coco(coco.labels, coco.images)
    assert [[one.box for one in sample.instances] for sample in found.samples] == [
        [(0, 10, 20, 25), (5, 10, 25, 25)],
        [(10, 10, 30, 25), (15, 10, 35, 25)],
    ]
    assert len({one.id for sample in found.samples for one in sample.instances}) == 4
    (problem,) = found.problems
    assert (problem.severity, "have an id that another has; all are used" in problem.message) == ("note", True)


@pytest.mark.parametrize("turned", [{"attributes": {"occluded": False, "rotation": 90.0}}, {"rotation": 90}])
def test_a_turned_box_becomes_the_upright_one_around_it(coco: CocoSet, turned: dict[str, object]) -> None:
    """As CVAT and Datumaro write it."""
    coco.add(bbox=[20, 15, 20, 10], **turned)
    coco.add(bbox=[20, 15, 20, 10], attributes={"rotation": 0.0})
    coco.add(bbox=[20, 15, 20, 10], attributes={"rotation": "much"})
    found = read_coco(coco.labels, coco.images)
    assert [one.box for one in found.samples[0].instances] == [(25, 10, 35, 30), (20, 15, 40, 25)]
    assert [(p.field, "rotation" in p.message) for p in found.problems] == [("annotations[2].bbox", True)]


def test_a_box_around_the_mask_of_a_turned_shape_is_upright_already(coco: CocoSet) -> None:
    outline = [[20.0, 15, 40, 15, 40, 25, 20, 25]]
    coco.add(bbox=[20, 15, 20, 10], segmentation=outline, attributes={"rotation": 90.0})
    assert read_coco(coco.labels, coco.images).samples[0].instances[0].box == (20, 15, 40, 25)


def test_a_box_of_five_numbers_is_perhaps_turned(coco: CocoSet) -> None:
    coco.add(bbox=[20, 15, 20, 10, 45])
    assert "a turned box?" in read_coco(coco.labels, coco.images).problems[0].message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"images": [],\n "annotations": [}', "line 2 column 18: expected JSON"),
        ("", "line 1 column 1: expected JSON"),
        ("[]", "got a list"),
        ('{"images": []}', "list 'annotations', got only .'images'."),
        ('{"images": {}, "annotations": []}', "list 'images', got a dict"),
        ("[" * 100_000, "expected COCO JSON"),
        ('{"images": ' + "1" * 5000 + "}", "expected COCO JSON"),
    ],
)
def test_what_is_not_coco_is_fatal(coco: CocoSet, text: str, message: str) -> None:
    path = coco.root / "bad.json"
    path.write_text(text)
    found = read_coco(path, coco.images)
    (problem,) = found.problems
    assert problem.severity == "fatal"
    assert re.search(message, str(problem))
    assert found.samples == ()


def test_binary_missing_and_folder_instead_of_json_are_fatal(coco: CocoSet) -> None:
    binary = coco.root / "binary.json"
    binary.write_bytes(b"\x89PNG\xff")
    for labels in (binary, coco.root / "nowhere.json", coco.images):
        (problem,) = read_coco(labels, coco.images).problems
        assert problem.severity == "fatal"
        assert str(labels) in str(problem)


def test_a_missing_image_folder_is_fatal(coco: CocoSet) -> None:
    (problem,) = read_coco(coco.labels, coco.root / "nowhere").problems
    assert problem.severity == "fatal"


def test_a_byte_order_mark_is_no_problem(coco: CocoSet) -> None:
    coco.add()
    path = coco.root / "bom.json"
    path.write_text(json.dumps(coco.json), encoding="utf-8-sig")
    assert read_coco(path, coco.images).problems == ()


def test_sub_folders_and_unicode_names(coco: CocoSet) -> None:
    coco.add_image("подпапка/図.png")
    coco.add(image_id=2)
    found = read_coco(coco.labels, coco.images)
    assert found.problems == ()
    assert found.samples[1].id == "подпапка/図.png"


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([1, 40, 60, "a.png"]),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.sampled_from(["size", "counts", "id"]), inner),
    max_leaves=8,
)
image_keys = ["id", "file_name", "width", "height"]
annotation_keys = ["id", "image_id", "bbox", "segmentation", "keypoints", "iscrowd", "category_id"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.dictionaries(st.sampled_from(image_keys), json_values) | json_values, max_size=3),
    st.lists(st.dictionaries(st.sampled_from(annotation_keys), json_values) | json_values, max_size=3),
    json_values,
)
def test_nothing_in_a_file_raises(coco: CocoSet, images: list[Any], annotations: list[Any], categories: Any) -> None:
    path = coco.root / "any.json"
    path.write_text(
        json.dumps(
            {
                "images": [*coco.json["images"], *images],
                "annotations": [
                    {"image_id": 1, **entry} if isinstance(entry, dict) else entry for entry in annotations
                ],
                "categories": categories,
            }
        )
    )
    for sample in read_coco(path, coco.images).samples:
        for instance in sample.instances:
            assert instance.box is not None or instance.points or instance.mask().any()


def test_of_two_folders_the_one_called_as_the_image_folder_counts(coco: CocoSet) -> None:
    coco.json["images"] = [{"id": i, "file_name": f"{folder}/a.png"} for i, folder in enumerate(["cam1", "images"])]
    coco.add(image_id=0)
    coco.add(image_id=1, bbox=[1, 1, 9, 9])
    found = read_coco(coco.labels, coco.images)
    assert [instance.box for sample in found.samples for instance in sample.instances] == [(1, 1, 10, 10)]
    assert [p.field for p in found.problems if p.severity == "skip"] == ["images[0].file_name"]
