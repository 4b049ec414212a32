from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from PIL import Image

from tests.labels.damage import assert_sound, damaged
from tests.test_untrusted import BOMB
from wesam.labels.pascal_voc import read_voc

OBJECT = """  <object>
    <name>cell</name><pose>Unspecified</pose><truncated>0</truncated><difficult>0</difficult>
    <bndbox><xmin>11</xmin><ymin>6</ymin><xmax>30</xmax><ymax>25</ymax></bndbox>
  </object>
"""
A = f"""<annotation>
  <folder>photos</folder><filename>a.png</filename><path>/home/me/photos/a.png</path>
  <size><width>60</width><height>40</height><depth>3</depth></size><segmented>0</segmented>
{OBJECT}{OBJECT.replace("30", "59.5")}</annotation>
"""


@pytest.fixture
def labels(photos: Path) -> Path:
    folder = photos.parent / "labels"
    (folder / "site").mkdir(parents=True)
    (folder / "a.xml").write_text(A)
    (folder / "site" / "b.xml").write_text("<annotation><filename>b.jpg</filename></annotation>")
    return folder


def test_boxes_and_names(labels: Path, photos: Path) -> None:
    found = read_voc(labels, photos)
    assert found.problems == ()
    assert [(sample.id, len(sample.instances)) for sample in found.samples] == [("a.png", 2), ("site/b.jpg", 0)]
    first, second = found.samples[0].instances
    assert (first.id, first.category) == ("a.xml:object[0]", "cell")
    assert first.box == (10, 5, 30, 25)  # pixels 11 to 30, counted from 1, are 20
    assert second.box == (10, 5, 59.5, 25)


@pytest.mark.parametrize("name", ["a", ""])
def test_without_a_whole_name_the_image_is_called_as_the_file(labels: Path, photos: Path, name: str) -> None:
    (labels / "a.xml").write_text(A.replace("<filename>a.png</filename>", f"<filename>{name}</filename>"))
    assert [sample.id for sample in read_voc(labels / "a.xml", photos).samples] == ["a.png"]


def test_a_name_with_dots_and_no_suffix(labels: Path, photos: Path) -> None:
    (photos / "a.png").rename(photos / "scan.2024.05.png")
    path = labels / "scan.2024.05.xml"
    path.write_text(A.replace("a.png</filename>", "scan.2024.05</filename>"))
    assert [sample.id for sample in read_voc(path, photos).samples] == ["scan.2024.05.png"]


def test_a_box_of_a_tool_that_counts_from_0(labels: Path, photos: Path) -> None:
    (labels / "a.xml").write_text(A.replace("<xmin>11", "<xmin>0").replace("<ymin>6", "<ymin>0"))
    assert read_voc(labels, photos).samples[0].instances[0].box == (0, 0, 30, 25)


@pytest.mark.parametrize(
    ("old", "new", "field", "message"),
    [
        ("<xmin>11", "<xmin>nan", "object[0].bndbox", "finite numbers xmin"),
        ("<xmin>11", "<xmin>", "object[0].bndbox", "finite numbers xmin"),
        ("<xmin>11", "<xmin>eleven", "object[0].bndbox", "finite numbers xmin"),
        ("<xmin>11", "<xmin>1e400", "object[0].bndbox", "finite numbers xmin"),
        ("<xmin>11</xmin>", "", "object[0].bndbox", "got no xmin"),
        ("<xmin>11", "<xmin>31", "object[0].bndbox", "positive width and height"),
        ("<xmin>11", "<xmin>-9", "object[0].bndbox", "inside the image of 60 x 40 px"),
        ("<xmax>30", "<xmax>630", "object[0].bndbox", "inside the image"),
        ("<width>60", "<width>600", "size", "expected 60 x 40 px, the size of 'a.png', got 600"),
        ("<width>60", "<width>sixty", "size", "finite numbers width and height"),
        ("a.png</filename>", "c.png</filename>", "filename", "expected an image file .*c.png', found none"),
        ("a.png</filename>", "../secret.png</filename>", "filename", "found none"),
        ("a.png</filename>", "/etc/passwd.png</filename>", "filename", "found none"),
    ],
)
def test_bad_fields(labels: Path, photos: Path, old: str, new: str, field: str, message: str) -> None:
    (labels / "a.xml").write_text(A.replace(old, new, 1))
    found = read_voc(labels, photos)
    (problem,) = found.problems
    assert (problem.severity, problem.file, problem.field) == ("skip", "a.xml", field)
    assert re.search(message, problem.message)
    assert len(found.samples) == (2 if "object" in field else 1)


def test_an_object_without_a_class_is_used_and_told(labels: Path, photos: Path) -> None:
    (labels / "a.xml").write_text(A.replace("<name>cell</name>", ""))
    found = read_voc(labels, photos)
    assert [(p.severity, p.field) for p in found.problems] == [("note", "object[0].name"), ("note", "object[1].name")]
    assert len(found.samples[0].instances) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (A[:100], "a.xml: line 3 column .*expected XML, got no element found"),
        ("", "expected XML"),
        (BOMB, "without <!DOCTYPE"),
        ("<annotations/>", "root element <annotation>, got <annotations>"),
    ],
)
def test_a_bad_file_costs_only_itself(labels: Path, photos: Path, content: str, message: str) -> None:
    (labels / "a.xml").write_text(content)
    found = read_voc(labels, photos)
    (problem,) = found.problems
    assert (problem.severity, problem.file) == ("skip", "a.xml")
    assert re.search(message, str(problem))
    assert [sample.id for sample in found.samples] == ["site/b.jpg"]


def test_two_files_for_one_image(labels: Path, photos: Path) -> None:
    (labels / "again.xml").write_text(A)
    found = read_voc(labels, photos)
    (problem,) = found.problems
    assert (problem.severity, problem.field) == ("note", "again.xml: filename")
    assert problem.message == "'a.png' is labelled again; all its labels are used, equal ones once"
    once = A.count("<bndbox>")
    assert [len(sample.instances) for sample in found.samples if sample.id == "a.png"] == [once]
    (labels / "again.xml").write_text(A.replace("<xmin>11", "<xmin>12", 1))
    assert len(read_voc(labels, photos).samples[0].instances) == once + 1


def test_a_copied_file_that_still_names_the_first_image(labels: Path, photos: Path) -> None:
    """Its own name is that of another image, and the one that it names has its own file."""
    Image.new("RGB", (60, 40)).save(photos / "copy.png")
    (labels / "copy.xml").write_text(A)
    found = read_voc(labels, photos)
    assert {sample.id for sample in found.samples} >= {"a.png", "copy.png"}
    (problem,) = found.problems
    assert (problem.severity, problem.file, problem.field) == ("note", "copy.xml", "filename")
    assert "'a.png' has other labels; these are taken for 'copy.png'" in problem.message


def test_no_files_are_fatal(photos: Path) -> None:
    assert [p.severity for p in read_voc(photos, photos).problems] == ["fatal"]
    assert [p.severity for p in read_voc(photos / "nowhere", photos).problems] == ["fatal"]


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damaged(A))
def test_no_damage_raises(labels: Path, photos: Path, text: str) -> None:
    (labels / "a.xml").write_text(text, newline="")
    assert_sound(read_voc(labels, photos))


def test_a_turned_box_of_cvat_becomes_the_upright_one_around_it(labels: Path, photos: Path) -> None:
    box = "<bndbox><xmin>20.0</xmin><ymin>15.0</ymin><xmax>40.0</xmax><ymax>25.0</ymax></bndbox>"
    turned = "<attributes><attribute><name>rotation</name><value>90.0</value></attribute></attributes>"
    upright = turned.replace("90.0", "0.0")
    one, other = (f"<object><name>bar</name>{box}{extra}</object>" for extra in (turned, upright))
    (labels / "a.xml").write_text(f"<annotation><filename>a.png</filename>{one}{other}</annotation>")
    found = read_voc(labels, photos)
    assert [one.box for one in found.samples[0].instances] == [(25, 10, 35, 30), (19, 14, 40, 25)]


def test_a_turned_box_of_rolabelimg(labels: Path, photos: Path) -> None:
    box = "<robndbox><cx>30</cx><cy>20</cy><w>20</w><h>10</h><angle>{}</angle></robndbox>"
    objects = "".join(f"<object><name>bar</name>{box.format(angle)}</object>" for angle in ("1.5707963", "much"))
    (labels / "a.xml").write_text(f"<annotation><filename>a.png</filename>{objects}</annotation>")
    found = read_voc(labels, photos)
    assert [tuple(map(round, one.box or ())) for one in found.samples[0].instances] == [(25, 10, 35, 30)]
    assert ["angle" in problem.message for problem in found.problems if problem.field == "object[1].bndbox"] == [True]
