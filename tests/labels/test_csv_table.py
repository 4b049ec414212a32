from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.labels.damage import assert_sound, damaged
from wesam.labels.csv_table import read_csv

TEXT = """image,x0,y0,x1,y1,x,y,positive,object,class
a.png,10,5,30.5,25,,,,,cell
a.png,,,,,10,20,1,left,cell
a.png,,,,,12,20,0,left,
a.png,1,2,9,9,,,,left,cell
site/b.jpg,0,0,80,50,40,25,,,
"""


@pytest.fixture
def labels(photos: Path) -> Path:
    path = photos.parent / "labels.csv"
    path.write_text(TEXT)
    return path


def test_boxes_points_and_both(labels: Path, photos: Path) -> None:
    found = read_csv(labels, photos)
    assert found.problems == ()
    box, left = found.samples[0].instances
    assert (box.id, box.box, box.points, box.category) == ("labels.csv:line 2", (10, 5, 30.5, 25), (), "cell")
    assert (left.box, left.points, left.category) == ((1, 2, 9, 9), ((10, 20, 1), (12, 20, 0)), "cell")
    (both,) = found.samples[1].instances
    assert (both.box, both.points) == ((0, 0, 80, 50), ((40, 25, 1),))


@pytest.mark.parametrize(
    "text",
    [
        "image,x0,y0,x1,y1\na.png,10,5,30,25\n",
        "filename;width;height;class;xmin;ymin;xmax;ymax\r\na.png;60;40;cell;10;5;30;25\r\n",
        "\ufeffImage\tX0\tY0\tX1\tY1\n\na.png\t 10\t5 \t30\t25",
        '"image","x0","y0","x1","y1","label"\n"a.png","10","5","30","25","a, b\nc"\n',
        "image,left,top,width,height\na.png,10,5,20,20\n",
        "image,x0,y0,x1,y1\n/home/me/photos/a.png,10,5,30,25\n",
    ],
)
def test_other_headers_and_separators(labels: Path, photos: Path, text: str) -> None:
    labels.write_text(text, encoding="utf-8", newline="")
    found = read_csv(labels, photos)
    assert found.problems == ()
    assert [instance.box for instance in found.samples[0].instances] == [(10, 5, 30, 25)]


@pytest.mark.parametrize("cells", ["cell,", ",cell", "cell,other"])
def test_two_columns_of_one_meaning(labels: Path, photos: Path, cells: str) -> None:
    labels.write_text(f"image,x0,y0,x1,y1,label,class\na.png,1,1,9,9,{cells}\n")
    assert read_csv(labels, photos).samples[0].instances[0].category == "cell"


def test_points_alone(labels: Path, photos: Path) -> None:
    labels.write_text("image,x,y,positive\na.png,0,0,\na.png,59,39,1\na.png,5,6,0\n./a.png,7,7,1\n")
    found = read_csv(labels, photos)
    assert found.problems == ()
    off = (5, 6, 0)
    assert [i.points for i in found.samples[0].instances] == [((0, 0, 1), off), ((59, 39, 1), off), ((7, 7, 1), off)]


@pytest.mark.parametrize(
    ("row", "field", "message"),
    [
        ("a.png,10,5,nan,25", "line 2", "finite numbers x0, y0, x1, y1"),
        ("a.png,10,5,,25", "line 2", "finite numbers x0"),
        ("a.png,10,5", "line 2", "finite numbers x0"),
        ('a.png,"10,5",5,30,25', "line 2", "finite numbers x0"),
        ("a.png,30,5,10,25", "line 2", "positive width"),
        ("a.png,10,5,300,25", "line 2", "inside the image of 60 x 40 px"),
        ("a.png,,,,,70,5", "line 2", "a point inside the image"),
        ("a.png,,,,,7,", "line 2", "finite numbers x, y"),
        ("a.png,,,,,7,5,yes", "line 2", "positive as 1 or 0, got 'yes'"),
        ("a.png,,,,,7,5,0", "line 2", "points on an object beside"),
        ("a.png", "line 2", "a box .* or a point"),
        (",10,5,30,25", "line 2, image", "found none"),
        ("c.png,10,5,30,25", "line 2, image", "found none"),
        ("../secret.png,10,5,30,25", "line 2, image", "inside the image folder"),
        ("/etc/passwd,10,5,30,25", "line 2, image", "inside the image folder"),
    ],
)
def test_bad_rows(labels: Path, photos: Path, row: str, field: str, message: str) -> None:
    labels.write_text(f"{TEXT.splitlines()[0]}\n{row}\nsite/b.jpg,1,2,3,4\n")
    found = read_csv(labels, photos)
    (problem,) = found.problems
    assert (problem.severity, problem.file, problem.field) == ("skip", "labels.csv", field)
    assert re.search(message, problem.message)
    assert len(found.samples[-1].instances) == 1


@pytest.mark.parametrize(("text", "label"), [("1.0", 1), ("True", 1), ("0.0", 0), ("false", 0)])
def test_positive_as_pandas_writes_it(labels: Path, photos: Path, text: str, label: int) -> None:
    labels.write_text(f"image,x,y,positive,object\na.png,5,6,1,o\na.png,7,8,{text},o\n")
    found = read_csv(labels, photos)
    assert found.problems == ()
    assert found.samples[0].instances[0].points == ((5, 6, 1), (7, 8, label))


def test_columns_that_are_not_read_are_noted(labels: Path, photos: Path) -> None:
    labels.write_text("image,x,y,colour,who\na.png,5,6,red,me\n")
    (problem,) = read_csv(labels, photos).problems
    assert (problem.severity, problem.message) == ("note", "columns that are not read: colour, who")


def test_a_missing_image_is_told_once(labels: Path, photos: Path) -> None:
    labels.write_text("image,x,y\n" + "c.png,1,2\n" * 5)
    assert [(p.severity, p.field) for p in read_csv(labels, photos).problems] == [
        ("skip", "line 2, image"),
        ("note", ""),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1: expected a header with image"),
        (b"a.png,1,2,3,4\n", "line 1: expected a header with image"),
        (b"image,x0,y0,x1\n", "expected a header"),
        (b"image,x,y,width,height\na.png,1,2,3,4\n", "got x, y beside width or height; rename the columns"),
        (b"image,x,y\n\xff", "expected CSV in UTF-8"),
        (b"image,x,y\n" + b"a" * 200_000, "line 2: expected CSV, got field larger"),
    ],
)
def test_what_is_no_such_table_is_fatal(labels: Path, photos: Path, content: bytes, message: str) -> None:
    labels.write_bytes(content)
    (problem,) = read_csv(labels, photos).problems
    assert problem.severity == "fatal"
    assert re.search(message, problem.message)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damaged(TEXT))
def test_no_damage_raises(labels: Path, photos: Path, text: str) -> None:
    labels.write_text(text, newline="", encoding="utf-8")
    assert_sound(read_csv(labels, photos))


def test_of_two_folders_the_one_called_as_the_image_folder_counts(labels: Path, photos: Path) -> None:
    labels.write_text("image,x0,y0,x1,y1\ncam1/a.png,10,5,30,25\nphotos/a.png,1,1,9,9\n")
    found = read_csv(labels, photos)
    assert [instance.box for instance in found.samples[0].instances] == [(1, 1, 9, 9)]
    assert [problem.field for problem in found.problems] == ["line 2, image"]
