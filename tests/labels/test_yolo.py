from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from tests.labels.damage import assert_sound, damaged
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
        ("0.0 0.5 0.5 0.1 0.1", "class index"),
        ("0 nan 0.5 0.1 0.1", "finite numbers .* got .*nan"),
        ("0 0.5 0.5 0.1 inf", "finite numbers"),
        ("0 0.5 0.5 0.1 big", "finite numbers"),
        ("0 0.5 0.5 0.1", "4 numbers .* got 3"),
        ("0", "got 0"),
        ("0 0.5 0.5 0.1 0.1 0.9 0.2 0.3", "got 7"),
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
        ("a: &a [*a, *a]\nnames: 3", "expected YAML, got a reference"),
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


@pytest.mark.parametrize("yaml", ["names: [cell]\nkpt_shape: [17, 3]", "nc: 1\nkpt_shape: [3, 2]", "kpt_shape: [3, 2]"])
def test_pose_labels_are_refused(labels: Path, photos: Path, yaml: str) -> None:
    (labels.parent / "data.yaml").write_text(yaml)
    for given_labels in (labels, labels.parent / "data.yaml"):
        (problem,) = read_yolo(given_labels, photos).problems
        assert (problem.severity, "kpt_shape: expected labels of boxes" in problem.message) == ("fatal", True)


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


def test_a_set_of_four_corners_alone_is_noted(labels: Path, photos: Path) -> None:
    line = "0 0.1 0.1 0.5 0.1 0.5 0.6 0.1 0.6\n"
    (labels / "a.txt").write_text(2 * line)
    (problem,) = read_yolo(labels, photos).problems
    assert (problem.severity, "turned boxes" in problem.message) == ("note", True)
    (labels / "a.txt").write_text(line + "0 0.5 0.5 0.25 0.5\n")
    assert read_yolo(labels, photos).problems == ()
