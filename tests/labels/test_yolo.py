from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from tests.labels.damage import assert_sound, damaged
from wesam.labels.formats import read_labels
from wesam.labels.yolo import read_yolo

A = "0 0.5 0.5 0.25 0.5\n1 0.1 0.1 0.5 0.1 0.5 0.6 0.1 0.6\n\n0 0.05 0.05 0.1 0.1\n"
DATA = "path: ../cells\ntrain: images\nnc: 2\nnames:\n  0: cell\n  1: nucleus\n"


@pytest.fixture
def labels(photos: Path) -> Path:
    """As trainers lay it out: data.yaml, labels/a.txt, labels/site/b.txt (no objects)."""
    folder = photos.parent / "labels"
    (folder / "site").mkdir(parents=True)
    (folder / "a.txt").write_text(A)
    (folder / "site" / "b.txt").touch()
    (photos.parent / "data.yaml").write_text(DATA)
    return folder


def test_boxes_polygons_and_names(labels: Path, photos: Path) -> None:
    found = read_yolo(labels, photos)
    assert found.problems == ()
    assert [(sample.id, len(sample.instances)) for sample in found.samples] == [("a.png", 3), ("site/b.jpg", 0)]
    box, polygon, last = found.samples[0].instances
    assert (box.id, box.box, box.category, box.rle) == ("a.txt:line 1", (22.5, 10, 37.5, 30), "cell", None)
    assert (polygon.box, polygon.category, last.id) == (None, "nucleus", "a.txt:line 4")
    expected = np.zeros((40, 60), bool)
    expected[4:24, 6:30] = True
    np.testing.assert_array_equal(polygon.mask(), expected)


def test_one_file_alone(labels: Path, photos: Path) -> None:
    assert [sample.id for sample in read_yolo(labels / "a.txt", photos).samples] == ["a.png"]


def test_the_data_yaml_leads_to_the_labels(labels: Path, photos: Path) -> None:
    assert len(read_yolo(labels.parent / "data.yaml", photos).samples) == 2
    train = labels.parent / "train"
    train.mkdir()
    photos.rename(train / "images")
    labels.rename(train / "labels")  # as Roboflow has it
    assert len(read_yolo(labels.parent / "data.yaml", train / "images").samples) == 2


@pytest.mark.parametrize("place", ["labels/classes.txt", "classes.txt", "obj.names"])
def test_names_from_a_list(labels: Path, photos: Path, place: str) -> None:
    (labels.parent / "data.yaml").unlink()
    (labels.parent / place).write_text("cell\nnucleus\n")
    found = read_yolo(labels, photos)
    assert found.problems == ()
    assert [instance.category for instance in found.samples[0].instances] == ["cell", "nucleus", "cell"]


def test_without_names(labels: Path, photos: Path) -> None:
    (labels.parent / "data.yaml").unlink()
    found = read_yolo(labels, photos)
    assert found.problems == ()
    assert {instance.category for instance in found.samples[0].instances} == {""}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("x 0.5 0.5 0.1 0.1", "class index .* got 'x'"),
        ("-1 0.5 0.5 0.1 0.1", "class index"),
        ("9" * 5000 + " 0.5 0.5 0.1 0.1", "class index"),
        ("0.5 0.5 0.5 0.1 0.1", "class index"),
        ("0 nan 0.5 0.1 0.1", "finite numbers .* got .*nan"),
        ("0 0.5 0.5 0.1 inf", "finite numbers"),
        ("0 0.5 0.5 0.1 big", "finite numbers"),
        ("0 0.5 0.5 0.1", "4 numbers .* got 3"),
        ("0", "got 0"),
        ("0 0.5 0.5 0.1 0.1 0.9 0.2 1.3", "got 7"),
        ("0 0.5 0.5 0 0.1", "positive width and height"),
        ("0 0.5 0.5 -0.1 0.1", "positive width and height"),
        ("0 1.5 0.5 0.1 0.1", "a box inside the image of 60 x 40 px"),
        ("0 300 200 50 50", "inside the image"),
        ("0 0.1 0.1 0.5 0.1 0.5 7.5", "polygons inside the image"),
        ("0 0.1 0.1 0.1 0.1 0.1 0.1", "empty mask"),
    ],
)
def test_bad_lines(labels: Path, photos: Path, line: str, message: str) -> None:
    (labels / "a.txt").write_text(f"0 0.5 0.5 0.1 0.1\n{line}\n")
    found = read_yolo(labels, photos)
    (problem,) = found.problems
    assert (problem.severity, problem.file, problem.field) == ("skip", "a.txt", "line 2")
    assert re.search(message, problem.message)
    assert len(found.samples[0].instances) == 1


def test_an_unknown_class_costs_only_its_name(labels: Path, photos: Path) -> None:
    (labels / "a.txt").write_text("7 0.5 0.5 0.1 0.1\n")
    found = read_yolo(labels, photos)
    (problem,) = found.problems
    assert (problem.severity, problem.field) == ("note", "line 1")
    assert problem.message == "expected one of the classes in data.yaml, got 7"
    assert found.samples[0].instances[0].category == ""


def test_labels_without_image_and_files_that_are_no_text(labels: Path, photos: Path) -> None:
    (labels / "c.txt").write_text("0 0.5 0.5 0.1 0.1")
    (labels / "site" / "b.txt").write_bytes(b"\xff\xfe\x00")
    found = read_yolo(labels, photos)
    assert [(p.severity, p.file) for p in found.problems] == [("skip", "c.txt"), ("skip", "site/b.txt")]
    assert "expected one image file 'c' with any suffix, found none" in found.problems[0].message


@pytest.mark.parametrize(
    ("yaml", "message"),
    [
        ("names: [", "expected YAML"),
        ("a: &a [*a, *a]\nnames: 3", "expected YAML: a reference"),
        ("names: 3", "names: expected a list of class names, got 3"),
        ("- x", "names: expected a list"),
        ("!!python/object/apply:os.system ['false']", "expected YAML"),
        ("date: 2024-99-99\nnames: [a]", "expected YAML"),
    ],
)
def test_a_bad_data_yaml_is_fatal_where_it_is_given(labels: Path, photos: Path, yaml: str, message: str) -> None:
    (labels.parent / "data.yaml").write_text(yaml)
    (problem,) = read_yolo(labels.parent / "data.yaml", photos).problems
    assert problem.severity == "fatal"
    assert re.search(f"data.yaml: {message}", problem.message)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("data.yaml", b"names: [", "expected YAML"),
        ("data.yaml", b"stages: {a: 1}", "names: expected a list of class names, got None"),
        ("labels/classes.txt", "Zürich".encode("cp1252"), "expected class names in UTF-8"),
    ],
)
def test_a_bad_list_of_names_beside_the_labels_costs_only_the_names(
    labels: Path, photos: Path, name: str, content: bytes, message: str
) -> None:
    (labels.parent / "data.yaml").unlink()
    (labels.parent / name).write_bytes(content)
    found = read_yolo(labels, photos)
    (problem,) = found.problems
    assert problem.severity == "note"
    assert re.search(f"{name}: {message}(.|\n)*; it is passed over$", problem.message)
    assert [instance.category for instance in found.samples[0].instances] == [""] * 3
    (labels.parent / "obj.names").write_text("cell\nnucleus\n")
    assert read_yolo(labels, photos).samples[0].instances[0].category == "cell"


POSE = "0 0.5 0.5 0.25 0.5 0.45 0.5 2 0.55 0.6 1 0 0 0\n"


@pytest.mark.parametrize("place", ["labels/train", "labels", "."])
def test_key_points_of_pose_labels_are_points_on_the_object(photos: Path, place: str) -> None:
    """As trainers lay it out: labels/train, and data.yaml two folders up."""
    train = photos.parent / "pose" / "labels" / "train"
    train.mkdir(parents=True)
    (train / "a.txt").write_text(POSE + "0 0.5 0.5 0.25 0.5\n")
    (photos.parent / "pose" / place / "tiger-pose.yaml").write_text("kpt_shape: [3, 3]\nnames: {0: tiger}\n")
    found = read_yolo(train, photos)
    assert found.problems == ()
    first, second = found.samples[0].instances
    assert (first.box, first.points) == ((22.5, 10, 37.5, 30), ((26.5, 19.5, 1), (32.5, 23.5, 1)))
    assert (second.box, second.points) == ((22.5, 10, 37.5, 30), ())


def test_key_points_without_visibility(labels: Path, photos: Path) -> None:
    (labels.parent / "data.yaml").write_text("kpt_shape: [2, 2]\nnames: [tiger]\n")
    (labels / "a.txt").write_text("0 0.5 0.5 0.25 0.5 0.45 0.5 0 0\n0 0.5 0.5 0.25 0.5 0.45 0.5\n")
    found = read_yolo(labels, photos)
    assert [(p.field, p.message) for p in found.problems] == [
        ("line 2", "expected 8 numbers after the class index (a box and 2 key points of 2 numbers), got 6")
    ]
    assert [one.points for one in found.samples[0].instances] == [((26.5, 19.5, 1),)]


@pytest.mark.parametrize("shape", ["17", "[0, 2]", "[3, 4]", "[a, 2]", "[true, 2]"])
def test_an_impossible_shape_of_key_points_is_fatal(labels: Path, photos: Path, shape: str) -> None:
    (labels.parent / "data.yaml").write_text(f"kpt_shape: {shape}\nnames: [a]")
    (problem,) = read_yolo(labels, photos).problems
    assert (problem.severity, "kpt_shape: expected [how many, 2 or 3]" in problem.message) == ("fatal", True)


def test_plain_boxes_beside_a_file_of_key_points_are_boxes(labels: Path, photos: Path) -> None:
    (labels.parent / "other.yaml").write_text("kpt_shape: [17, 3]\n")
    (labels / "a.txt").write_text("0 0.5 0.5 0.25 0.5\n0 0.5 0.5 0.25 0.5 0.8\n")
    found = read_yolo(labels, photos)
    assert (found.problems, len(found.samples[0].instances)) == ((), 2)


def test_no_labels_are_fatal(labels: Path, photos: Path) -> None:
    assert "found none (.txt)" in read_yolo(photos, photos).problems[0].message
    labels.rename(labels.parent / "elsewhere")
    (problem,) = read_yolo(labels.parent / "data.yaml", photos).problems
    assert (problem.severity, "found no such folder" in problem.message) == ("fatal", True)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damaged(A))
def test_no_damage_raises(labels: Path, photos: Path, text: str) -> None:
    (labels / "a.txt").write_text(text, newline="")
    assert_sound(read_yolo(labels, photos))


def test_a_detectors_confidence_and_track_are_passed_over(labels: Path, photos: Path) -> None:
    (labels / "a.txt").write_text("0 0.5 0.5 0.25 0.5 0.913\n0 0.5 0.5 0.25 0.5 0.9 1\n0 0.5 0.5 0.25 0.5 0.9 17\n")
    found = read_yolo(labels, photos)
    assert found.problems == ()
    assert [instance.box for instance in found.samples[0].instances] == [(22.5, 10, 37.5, 30)] * 3


def test_classes_that_are_only_counted_have_no_names(labels: Path, photos: Path) -> None:
    (photos.parent / "data.yaml").write_text("train: images\nnc: 2\n")
    found = read_yolo(labels, photos)
    assert found.problems == ()
    assert {instance.category for instance in found.samples[0].instances} == {""}


@pytest.mark.parametrize(
    ("angle", "unit"), [("-1.5708", "radians"), ("1.5708", "radians"), ("-90", "degrees"), ("90.0", "degrees")]
)
def test_an_angle_behind_a_box_is_no_confidence(labels: Path, photos: Path, angle: str, unit: str) -> None:
    (labels / "a.txt").write_text(f"0 0.5 0.5 0.5 0.25 {angle}\n0 0.5 0.5 0.5 0.25 0\n")
    found = read_yolo(labels, photos)
    assert [tuple(round(edge, 3) for edge in one.box or ()) for one in found.samples[0].instances] == [
        (25, 5, 35, 35),
        (15, 15, 45, 25),
    ]
    (problem,) = found.problems
    assert (problem.severity, f"angles in {unit}" in problem.message) == ("note", True)


def test_whole_numbers_behind_boxes_are_tracks(labels: Path, photos: Path) -> None:
    (labels / "a.txt").write_text("0 0.5 0.5 0.25 0.5 1\n0 0.5 0.5 0.25 0.5 17\n")
    found = read_yolo(labels, photos)
    assert [one.box for one in found.samples[0].instances] == [(22.5, 10, 37.5, 30)] * 2
    assert [(p.severity, "those of tracks" in p.message) for p in found.problems] == [("note", True)]


OUTLINE = "0 0.1 0.2 0.5 0.2 0.5 0.6 0.1 0.6"


@pytest.mark.parametrize("behind", ["0.87", "0.87 3", "0.87 1", "12", "1"])
def test_what_a_detector_writes_behind_outlines_is_passed_over(labels: Path, photos: Path, behind: str) -> None:
    (labels / "a.txt").write_text(f"{OUTLINE} {behind}\n")
    found = read_yolo(labels, photos)
    expected = np.zeros((40, 60), bool)
    expected[8:24, 6:30] = True
    np.testing.assert_array_equal(found.samples[0].instances[0].mask(), expected)
    (problem,) = found.problems
    assert (problem.severity, "behind 1 outlines is passed over" in problem.message) == ("note", True)


def test_an_outline_that_ends_at_the_lower_edge_has_no_track(labels: Path, photos: Path) -> None:
    (labels / "a.txt").write_text("0 0.1 0.2 0.5 0.2 0.5 0.95 0.3 1\n0 0.1 0.2 0.5 0.2 0.5 0.6 0.3 0.7\n")
    found = read_yolo(labels, photos)
    assert [p.message for p in found.problems if "passed over" in p.message] == []
    assert found.samples[0].instances[0].mask()[-1].any()


@pytest.mark.parametrize("line", ["0 300 200 50 50", "0 100 100 200 100 200 300"])
def test_pixels_where_fractions_are_expected(labels: Path, photos: Path, line: str) -> None:
    (labels / "a.txt").write_text(line)
    assert "(pixels?)" in read_yolo(labels, photos).problems[0].message


def test_a_set_of_four_corners_alone_is_noted(labels: Path, photos: Path) -> None:
    line = "0 0.1 0.1 0.5 0.1 0.5 0.6 0.1 0.6\n"
    (labels / "a.txt").write_text(2 * line)
    (problem,) = read_yolo(labels, photos).problems
    assert (problem.severity, "turned boxes" in problem.message) == ("note", True)
    (labels / "a.txt").write_text(line + "0 0.5 0.5 0.25 0.5\n")
    assert read_yolo(labels, photos).problems == ()


@pytest.mark.parametrize("index", ["1", "1.0", "1.000000e+00", "1."])
def test_a_class_index_may_be_written_as_other_numbers_are(labels: Path, photos: Path, index: str) -> None:
    (labels / "a.txt").write_text(f"{index} 0.5 0.5 0.25 0.5\n")
    (labels / "data.yaml").write_text("names: [cell, nucleus]\n")
    found = read_labels(labels, photos)
    assert (found.problems, found.samples[0].instances[0].category) == ((), "nucleus")


@pytest.mark.parametrize(
    ("fifths", "silent"), [((0.9, 0.8, 0.3), True), ((0.3, 0.8, 0.9), True), ((0.8, 0.3, 0.9), False)]
)
def test_confidences_that_are_in_no_order_may_be_angles(
    labels: Path, photos: Path, fifths: tuple[float, ...], silent: bool
) -> None:
    (labels / "a.txt").write_text("".join(f"0 0.5 0.5 0.25 0.5 {number}\n" for number in fifths))
    found = read_yolo(labels, photos)
    assert len(found.samples[0].instances) == 3
    assert (found.problems == ()) is silent
    assert silent or "if they are angles in radians" in found.problems[0].message


def test_a_confidence_before_the_box_is_told(labels: Path, photos: Path) -> None:
    (labels / "a.txt").write_text("0 0.87 0.5 0.5 0.2 0.4\n0 0.65 0.3 0.3 0.1 0.1\n")
    assert "if the confidence stood first" in str(read_yolo(labels, photos).problems[-1])
    (labels / "a.txt").write_text("0 0.6 0.5 0.5 0.2 0.9\n0 0.65 0.3 0.3 0.1 0.1\n")
    assert read_yolo(labels, photos).problems == ()


def test_turned_boxes_in_whole_degrees_beside_small_ones(labels: Path, photos: Path) -> None:
    (labels / "a.txt").write_text("0 0.5 0.5 0.5 0.25 90\n0 0.5 0.5 0.5 0.25 0.5\n")
    found = read_yolo(labels, photos)
    assert "angles in degrees" in found.problems[0].message
    assert found.samples[0].instances[0].box == pytest.approx((25, 5, 35, 35))
