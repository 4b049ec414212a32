from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.labels.written import WRITERS
from wesam.errors import WesamError
from wesam.labels.check import check
from wesam.labels.formats import detect_format, known_formats, read_labels

DOCS = Path(__file__).parents[2] / "docs" / "formats.md"

# Of each example in the documentation: the name of the format, and what is read: (box, points, category).
BOX = (10, 5, 30, 25)
CLICKED = (None, ((40, 20, 1), (55, 35, 0)), "cell")
MEASURED = (None, ((39.5, 19.5, 1), (54.5, 34.5, 0)), "cell")  # from the corner of the first pixel
EXAMPLES = {
    "labels.json": ("coco", [(BOX, (), "cell"), CLICKED]),
    "labels/a.txt": ("yolo", [((22.5, 10, 37.5, 30), (), "cell"), (None, (), "nucleus")]),
    "labels/a.xml": ("voc", [(BOX, (), "cell")]),
    "project.json": ("label-studio", [((30, 10, 45, 30), ((35.5, 15.5, 1),), "cell")]),
    "annotations.xml": (
        "cvat",
        [
            ((10.5, 5, 30, 25), (), "cell"),
            (None, ((40, 20, 1), (41.5, 21.5, 1), (54.5, 34.5, 0)), "cell"),
        ],
    ),
    "labels/a.json": ("labelme", [(BOX, (), "cell"), MEASURED]),
    "labels.csv": ("csv", [(BOX, (), "cell"), CLICKED]),
}


def examples() -> dict[str, str]:
    return dict(re.findall(r'```\w+ title="([^"]+)"\n(.*?)```', DOCS.read_text(encoding="utf-8"), re.DOTALL))


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_of_the_documentation(photos: Path, name: str) -> None:
    found_in_docs = examples()
    assert set(found_in_docs) == {*EXAMPLES, "labels/data.yaml"}
    labels = photos.parent / Path(name).parts[0]
    names = [name, "labels/data.yaml"] if name.endswith(".txt") else [name]
    for written in names:
        path = photos.parent / written
        path.parent.mkdir(exist_ok=True)
        path.write_text(found_in_docs[written], encoding="utf-8")
    format, expected = EXAMPLES[name]
    assert detect_format(labels) == format
    found = read_labels(str(labels), str(photos))
    assert found.problems == ()
    (sample,) = found.samples
    assert [(i.box, i.points, i.category) for i in sample.instances] == expected
    assert read_labels(labels, photos, format).samples == found.samples


def test_the_documentation_names_every_format() -> None:
    documented = re.findall(r"^\| \[`([\w-]+)`\]", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(documented) == set(known_formats())


@pytest.mark.parametrize(
    ("files", "labels", "expected"),
    [
        ({"x.json": '{"info": {}, "images": [], "annotations": []}'}, "x.json", "coco"),
        ({"x.json": "\ufeff  [ ]"}, "x.json", "label-studio"),
        ({"x.json": '{"version": "5", "shapes": []}'}, "x.json", "labelme"),
        ({"x.json": "not JSON"}, "x.json", "coco"),  # whose reader says what is wrong
        ({"x": '{"images": []}'}, "x", "coco"),
        ({"x.xml": '<?xml version="1.0"?>\n<!-- annotation -->\n<annotation verified="yes">'}, "x.xml", "voc"),
        ({"x.xml": "<annotations>"}, "x.xml", "cvat"),
        ({"annotations.xml": "<annotations>", "images/a.png": ""}, "", "cvat"),
        ({"data.yaml": ""}, "data.yaml", "yolo"),
        ({"x.txt": "3 0.1 1e-2 .3 0.4\n"}, "x.txt", "yolo"),
        ({"x.TSV": ""}, "x.TSV", "csv"),
        ({"classes.txt": "cell\n", "a.txt": "0 0 0 1 1", "a.png": ""}, "", "yolo"),
        ({"a.txt": "", "b.txt": ""}, "", "yolo"),
        ({"README.txt": "our masks", "a.png": ""}, "", "masks"),
        ({"a.json": '{"shapes": []}', "a.png": ""}, "", "labelme"),
        ({"_annotations.coco.json": '{"images": []}', "a.png": ""}, "", "coco"),
        ({"a.tif": ""}, "", "masks"),
        ({"site/a.xml": "<annotation/>", "site/a.png": ""}, "", "voc"),
        ({"_meta.json": '{"version": 1}', "a.json": '{"shapes": []}'}, "", "labelme"),
        ({"a.xml": "<annotation/>", "notes.json": '{"version": 1}'}, "", "voc"),
        ({"a.txt": "0 .5 .5 .2 .2", "notes.json": '{"categories": [], "info": {}}'}, "", "yolo"),
        ({"a.png": "", "dataset.json": '{"labels": {"cell": 1}}'}, "", "masks"),
    ],
)
def test_formats_are_told_apart(tmp_path: Path, files: dict[str, str], labels: str, expected: str) -> None:
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")
    assert detect_format(tmp_path / labels) == expected


@pytest.mark.parametrize("files", [{}, {"x.txt": "hello"}, {"a.jpg": "x"}, {"x.json": "[]"}])
def test_what_is_none_of_them_says_what_was_looked_for(tmp_path: Path, photos: Path, files: dict[str, str]) -> None:
    labels = tmp_path / "labels"
    labels.mkdir()
    for name, content in files.items():
        (labels / name).write_text(content)
    (problem,) = read_labels(labels, photos).problems
    assert problem.severity == "fatal"
    assert all(format.looks in problem.message for format in known_formats().values())
    assert problem.message.endswith("name it with --format")


def test_labels_that_are_not_there(photos: Path) -> None:
    (problem,) = read_labels(photos / "nothing", photos).problems
    assert (problem.severity, problem.message.endswith("got No such file or directory")) == ("fatal", True)


def test_an_unknown_format(photos: Path) -> None:
    with pytest.raises(WesamError, match="format: expected one of coco, .*, yolo, got 'coca'"):
        read_labels(photos, photos, "coca")


def test_the_format_given_wins(photos: Path) -> None:
    Image.fromarray(np.ones((40, 60), np.uint8)).save(photos.parent / "a.png")
    masks = photos.parent / "masks"
    masks.mkdir()
    (photos.parent / "a.png").rename(masks / "a.png")
    (masks / "a.txt").write_text("0 0.5 0.5 0.5 0.5")
    assert read_labels(masks, photos).samples[0].instances[0].box is not None
    assert read_labels(masks, photos, "masks").samples[0].instances[0].rle is not None


@pytest.mark.parametrize("format", known_formats())
def test_no_reader_raises_on_missing_folders_or_foreign_files(photos: Path, format: str) -> None:
    binary = photos.parent / "binary"
    binary.write_bytes(bytes(range(256)))
    for labels in (photos / "nowhere", binary, photos / "a.png"):
        found = read_labels(labels, photos, format)
        assert not any(sample.instances for sample in found.samples)
        assert found.problems or (format == "masks" and labels.name == "a.png")  # black is no object
    assert read_labels(binary, photos / "nowhere", format).problems[0].severity == "fatal"


@pytest.mark.parametrize("format", WRITERS)
@pytest.mark.parametrize(("name", "file"), [("IMG_1.jpg", "IMG_1.JPG"), ("my%20cell.png", "my cell.png")])
def test_names_as_they_come_from_other_systems(tmp_path: Path, format: str, name: str, file: str) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.new("RGB", (60, 40)).save(photos / file)
    report = check(photos, WRITERS[format](tmp_path, name, [(5, 5, 15, 15)]))
    assert (report.problems, report.summary.boxes) == ((), 1)
