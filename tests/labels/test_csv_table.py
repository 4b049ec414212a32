from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.labels.damage import assert_sound, damaged
from wesam.labels.check import check
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


@pytest.mark.parametrize(
    "text",
    [
        "image,x,y,w,h\na.png,10,5,20,20\n",
        "image,x,y,x2,y2\na.png,10,5,30,25\n",
        "image,x1,y1,x2,y2,class\na.png,10,5,30,25,cell\n",
        "image,left,top,right,bottom\na.png,10,5,30,25\n",
        "image_id,file_name,x min,y-min,X_MAX,ymax\n1,a.png,10,5,30,25\n",
        "image,bbox_x,bbox_y,bbox_w,bbox_h\na.png,10,5,20,20\n",
        "image,x_center,y_center,width,height\na.png,20,15,20,20\n",
        "filename,width,height,class,xmin,ymin,xmax,ymax\na.png,20,20,cell,10,5,30,25\n",  # the size of the box
        "image,x0,y0,x1,y1,angle\na.png,10,5,30,25,0.0\n",
        "image,x0,y0,x1,y1,image_width,image_height\na.png,10,5,30,25,60,40\n",
    ],
)
def test_boxes_by_other_names(labels: Path, photos: Path, text: str) -> None:
    labels.write_text(text)
    found = read_csv(labels, photos)
    assert found.problems == ()
    assert [(one.box, one.points) for one in found.samples[0].instances] == [((10, 5, 30, 25), ())]


@pytest.mark.parametrize(
    "header",
    [
        "filename,width,height,xmin,ymin,xmax,ymax",
        "image,img_w,img_h,x0,y0,x1,y1",
        "image,image_width,image_height,x,y",
    ],
)
def test_tables_made_for_images_of_another_size_are_told(labels: Path, photos: Path, header: str) -> None:
    cells = "10,5,30,25" if header.endswith(("ymax", "y1")) else "10,5"
    labels.write_text(f"{header}\na.png,30,20,{cells}\na.png,30,20,{cells}\nsite/b.jpg,80,50,{cells}\n")
    found = read_csv(labels, photos)
    assert [(p.severity, p.objects) for p in found.problems] == [("skip", 1), ("note", 1)]
    assert "expected 60 x 40 px, the size of 'a.png', got 30 x 20" in found.problems[0].message
    assert [sample.id for sample in found.samples] == ["site/b.jpg"]
    assert (found.sized, found.left_out) == ({"site/b.jpg"}, {"a.png"})


def test_the_labels_of_sam_are_on_and_off_one_object(labels: Path, photos: Path) -> None:
    labels.write_text("image,x,y,label\na.png,12,10,1\na.png,1,2,0\n")
    found = read_csv(labels, photos)
    (one,) = found.samples[0].instances
    assert (one.points, one.category) == (((12, 10, 1), (1, 2, 0)), "")
    assert [(p.severity, "as on and off" in p.message) for p in found.problems] == [("note", True)]


def test_numbers_of_classes_beside_boxes_are_classes(labels: Path, photos: Path) -> None:
    labels.write_text("image,x0,y0,x1,y1,label\na.png,1,1,9,9,1\na.png,2,1,9,9,0\n")
    assert [one.category for one in read_csv(labels, photos).samples[0].instances] == ["1", "0"]
    labels.write_text("image,x,y,label\na.png,12,10,2\na.png,1,2,0\n")
    assert [one.category for one in read_csv(labels, photos).samples[0].instances] == ["2", "0"]


def test_points_off_an_object_by_the_name_of_their_label(labels: Path, photos: Path) -> None:
    labels.write_text("image,x,y,label\na.png,12,10,cell +\na.png,1,2,background\n")
    (one,) = read_csv(labels, photos).samples[0].instances
    assert (one.points, one.category) == (((12, 10, 1), (1, 2, 0)), "cell")


@pytest.mark.parametrize(
    "more", ["dx,dy", "size_x,size_y", "x_end,y_end", "u,v", "x2", "w", "rx,ry", "radius", "point width,point height"]
)
def test_columns_that_look_like_coordinates_are_refused(labels: Path, photos: Path, more: str) -> None:
    labels.write_text(f"image,x,y,{more}\na.png,5,6{',7' * len(more.split(','))}\n")
    (problem,) = read_csv(labels, photos).problems
    assert (problem.severity, "which would be lost" in problem.message) == ("fatal", True)


@pytest.mark.parametrize("more", ["score,area", "id,frame", "xylem,count", "who,when,why", "depth,exposure"])
def test_other_columns_are_not(labels: Path, photos: Path, more: str) -> None:
    labels.write_text(f"image,x,y,{more}\na.png,5,6{',7' * len(more.split(','))}\n")
    assert [problem.severity for problem in read_csv(labels, photos).problems] == ["note"]


def test_a_turned_box_is_left_out(labels: Path, photos: Path) -> None:
    labels.write_text("image,x0,y0,x1,y1,theta\na.png,10,5,30,25,30\na.png,10,5,30,25,0\n")
    found = read_csv(labels, photos)
    assert [p.field for p in found.problems if "an angle of 30" in p.message] == ["line 2"]
    assert len(found.samples[0].instances) == 1


def test_a_table_of_open_images(tmp_path: Path, photos: Path) -> None:
    """Its images have no suffix, its columns another order, and its coordinates are fractions."""
    path = tmp_path / "boxes.csv"
    header = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded"
    path.write_text(f"{header}\na,xclick,/m/01,1,10,30,5,25,0\n")
    assert read_csv(path, photos).samples[0].instances[0].box == (10, 5, 30, 25)
    path.write_text(f"{header}\na,xclick,/m/01,1,0.1,0.4,0.2,0.6,0\na,xclick,/m/01,1,0.5,0.9,0.2,0.6,0\n")
    (problem,) = check(photos, path).fatal
    assert "all coordinates lie within 0..1" in problem.message
