from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from wesam.errors import WesamError
from wesam.labels.assemble import LabelBuilder, Mark
from wesam.labels.shapes import mask_to_rle
from wesam.types import Instance

BOX = (1.0, 2.0, 3.0, 4.0)
ON, OFF = (5.0, 5.0, 1), (6.0, 6.0, 0)


@pytest.fixture
def builder(photos: Path) -> LabelBuilder:
    return LabelBuilder("labels.x", photos)


def assembled(builder: LabelBuilder, *marks: Mark) -> tuple[Instance, ...]:
    file = builder.claim("image", builder.folder.find, "a.png")
    assert file is not None
    builder.add(file, marks)
    (sample,) = builder.build().samples
    return sample.instances


def test_marks_without_group_are_objects_of_their_own(builder: LabelBuilder) -> None:
    first, second = assembled(builder, Mark("m[0]", "cell", BOX), Mark("m[1]", "cell", BOX))
    assert first == Instance("labels.x:m[0]", BOX, category="cell")
    assert second.id == "labels.x:m[1]"


def test_points_masks_and_a_box_of_one_group_are_one_object(builder: LabelBuilder) -> None:
    masks = np.zeros((2, 40, 60), bool)
    masks[0, :5], masks[1, 4:9] = True, True
    (instance,) = assembled(
        builder,
        Mark("m[0]", "cell", rle=mask_to_rle(masks[0]), group="1"),
        Mark("m[1]", "cell", rle=mask_to_rle(masks[1]), group="1"),
        Mark("m[2]", "", points=(OFF,), group="1"),
        Mark("m[3]", "cell", BOX, group="1"),
        Mark("m[4]", "", points=(ON,), group="1"),
    )
    assert (instance.id, instance.box, instance.category) == ("labels.x:m[0]", BOX, "cell")
    assert instance.points == (ON, OFF)
    np.testing.assert_array_equal(instance.mask(), masks.any(0))


def test_two_classes_in_one_group_are_two_objects(builder: LabelBuilder) -> None:
    found = assembled(
        builder,
        Mark("m[0]", "cell", BOX, group="1"),
        Mark("m[1]", "nucleus", BOX, group="1"),
        Mark("m[2]", points=(OFF,), group="1"),
    )
    assert [(instance.category, instance.points) for instance in found] == [("cell", (OFF,)), ("nucleus", (OFF,))]


def test_clicks_of_a_group_without_a_class_are_an_object(builder: LabelBuilder) -> None:
    (instance,) = assembled(builder, *(Mark(f"m[{i}]", points=(p,), group="1") for i, p in enumerate([OFF, ON, ON])))
    assert instance.points == (ON, ON, OFF)


def test_points_off_without_group_go_to_all_that_points_are_on(builder: LabelBuilder) -> None:
    found = assembled(
        builder,
        Mark("m[0]", points=(OFF,)),
        Mark("m[1]", "cell", points=(ON,)),
        Mark("m[2]", "dot", points=(ON,)),
        Mark("m[3]", "cell", BOX),
        Mark("m[4]", "dot", points=((7.0, 7.0, 0),)),
    )
    assert [instance.points for instance in found] == [(ON, OFF), (ON, OFF, (7, 7, 0)), ()]


def test_points_off_nothing_are_told(builder: LabelBuilder) -> None:
    found = assembled(
        builder, Mark("m[0]", "cell", BOX), Mark("m[1]", points=(OFF,)), Mark("m[2]", points=(OFF,), group="2")
    )
    assert len(found) == 1
    assert [problem.field for problem in builder.problems] == ["m[1]", "m[2]"]


def test_two_boxes_in_one_group_are_told(builder: LabelBuilder) -> None:
    assert assembled(builder, Mark("m[0]", "", BOX, group="1"), Mark("m[1]", "", BOX, group="1")) == ()
    (problem,) = builder.problems
    assert (problem.field, problem.message) == (
        "m[1]",
        "expected one box an object, got that of m[0] in the same group",
    )


def test_an_image_that_is_labelled_again_keeps_all_its_labels(builder: LabelBuilder) -> None:
    other = (1.0, 2.0, 9.0, 8.0)
    for index, boxes in enumerate([(BOX,), (), (BOX, other)]):
        file = builder.claim(f"image[{index}]", builder.folder.find, "./" * index + "a.png")
        assert file is not None
        builder.add(file, [Mark(f"image[{index}].{n}", "cell", box) for n, box in enumerate(boxes)])
    found = builder.build()
    assert [one.box for one in found.samples[0].instances] == [BOX, other]
    (problem,) = found.problems
    assert (problem.severity, problem.objects) == ("note", 0)
    assert problem.field == "labels.x: image[1], labels.x: image[2]"
    assert problem.message == "'a.png' is labelled again; all its labels are used, equal ones once"


@pytest.mark.parametrize(
    ("folders", "used", "told"),
    [
        (["cam1", "x/photos"], "x/photos", {"m0": "some of 'cam1' too; those of 'x/photos' count"}),
        (["x/photos", "cam1"], "x/photos", {"m1": "some of 'cam1' too; those of 'x/photos' count"}),
        (["cam1", "."], ".", {"m0": "some of 'cam1' too; those of '.' count"}),
        (["1", "2"], None, {f"m{i}": f"some of '{i + 1}' too; none of '1' and '2' count" for i in (0, 1)}),
    ],
)
def test_labels_of_images_of_one_name_in_several_folders(
    builder: LabelBuilder, folders: list[str], used: str | None, told: dict[str, str]
) -> None:
    for index, folder in enumerate(folders):
        file = builder.claim(f"m{index}", builder.folder.find_tail, f"{folder}/a.png")
        assert file is not None
        builder.add(file, [Mark("box", folder, BOX)])
    found = builder.build()
    assert [instance.category for sample in found.samples for instance in sample.instances] == ([used] if used else [])
    expected = "expected labels of one image 'a.png', got"
    assert {problem.field: problem.message for problem in found.problems} == {
        field: f"{expected} {message}" for field, message in told.items()
    }


def test_a_missing_image_folder(tmp_path: Path) -> None:
    with pytest.raises(WesamError, match="nowhere: expected a folder of images"):
        LabelBuilder("x", tmp_path / "nowhere")
