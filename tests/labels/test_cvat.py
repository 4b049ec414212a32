from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from tests.labels.damage import assert_sound, damaged
from tests.test_untrusted import BOMB
from wesam.labels.cvat import read_cvat

TEXT = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta><task><id>4</id><name>cells</name><labels>
    <label><name>cell</name><color>#c06060</color><type>any</type></label>
    <label><name>negative</name><type>points</type></label>
  </labels></task></meta>
  <image id="0" name="a.png" subset="default" task_id="4" width="60" height="40">
    <box label="cell" source="manual" occluded="0" xtl="10.50" ytl="5.00" xbr="30.00" ybr="25.00" z_order="0"></box>
    <box label="cell" occluded="0" xtl="10.0" ytl="10.0" xbr="30.0" ybr="20.0" rotation="90.0" z_order="0"></box>
    <polygon label="cell" source="manual" occluded="0" points="5.00,10.00;25.00,10.00;25.00,30.00;5.00,30.00"></polygon>
    <points label="cell" points="10.5,20.5;40.25,30.75" z_order="0"><attribute name="sure">yes</attribute></points>
    <points label="negative" points="1.50,2.50"></points>
    <mask label="cell" source="semi-auto" rle="1, 2, 3, 4, 2" left="20" top="30" width="4" height="3"></mask>
    <ellipse label="cell" cx="30" cy="20" rx="10" ry="5" rotation="0"></ellipse>
    <tag label="cell"></tag>
  </image>
  <image id="1" name="site/b.jpg" width="80" height="50"></image>
</annotations>
"""


@pytest.fixture
def labels(photos: Path) -> Path:
    path = photos.parent / "annotations.xml"
    path.write_text(TEXT)
    return path


def test_every_shape(labels: Path, photos: Path) -> None:
    found = read_cvat(labels, photos)
    assert found.problems == ()
    assert [sample.id for sample in found.samples] == ["a.png", "site/b.jpg"]
    box, turned, polygon, points, mask, ellipse = found.samples[0].instances
    assert (box.id, box.box, box.category) == ("annotations.xml:image[0].box[0]", (10.5, 5, 30, 25), "cell")
    assert turned.box == pytest.approx((15, 5, 25, 25))
    expected = np.zeros((40, 60), bool)
    expected[10:30, 5:25] = True
    np.testing.assert_array_equal(polygon.mask(), expected)
    assert (points.points, points.category) == (((10, 20, 1), (39.75, 30.25, 1), (1, 2, 0)), "cell")
    expected = np.zeros((40, 60), bool)
    expected[30:33, 20:24] = [[0, 1, 1, 0], [0, 0, 1, 1], [1, 1, 0, 0]]
    np.testing.assert_array_equal(mask.mask(), expected)
    assert abs(ellipse.mask().sum() - np.pi * 50) < 8


def test_the_folder_of_an_export(labels: Path, photos: Path) -> None:
    assert len(read_cvat(labels.parent, photos).samples) == 2


@pytest.mark.parametrize(
    ("old", "new", "field", "message"),
    [
        ('xtl="10.50"', 'xtl="nan"', "image[0].box[0]", "finite numbers xtl"),
        ('xtl="10.50"', "", "image[0].box[0]", "expected xtl, ytl, xbr, ybr, got no xtl"),
        ('xtl="10.50"', 'xtl="31"', "image[0].box[0]", "positive width"),
        ('xbr="30.00"', 'xbr="90"', "image[0].box[0]", "inside the image of 60 x 40"),
        ('rotation="90.0"', 'rotation="east"', "image[0].box[1]", "finite numbers rotation"),
        ("5.00,10.00;25.00,10.00;", "", "image[0].polygon[2]", "3 or more"),
        ("5.00,10.00;25.00", "5.00,10.00,25.00", "image[0].polygon[2]", "points as finite numbers"),
        ("10.5,20.5", "99,20", "image[0].points[3]", "a point inside the image"),
        ('points="10.5,20.5;40.25,30.75"', "", "image[0].points[3]", "points as finite numbers"),
        ('rle="1, 2', 'rle="1, 3', "image[0].mask[5]", "adds up to 4 x 3 pixels"),
        ('rle="1, 2', 'rle="1.5, 1.5', "image[0].mask[5]", "adds up"),
        ('rle="1, 2', 'rle="-1, 4', "image[0].mask[5]", "adds up"),
        ('rle="1, 2', 'rle="x, 2', "image[0].mask[5]", "whole numbers with commas"),
        ('left="20"', 'left="58"', "image[0].mask[5]", "a mask inside the image of 60 x 40 px"),
        ('left="20"', 'left="20.5"', "image[0].mask[5]", "whole numbers left"),
        ('width="4"', 'width="99999999999"', "image[0].mask[5]", "whole numbers left"),
        ('rx="10"', 'rx="0"', "image[0].ellipse[6]", "radii above 0"),
    ],
)
def test_bad_shapes(labels: Path, photos: Path, old: str, new: str, field: str, message: str) -> None:
    assert old in TEXT
    labels.write_text(TEXT.replace(old, new, 1))
    found = read_cvat(labels, photos)
    problem = found.problems[0]
    assert (problem.severity, problem.file, problem.field) == ("skip", "annotations.xml", field)
    assert re.search(message, problem.message)
    assert len(found.samples[0].instances) == 5


@pytest.mark.parametrize(
    ("old", "new", "field", "message"),
    [
        ('name="a.png"', 'name="c.png"', "name", "found none"),
        ('name="a.png"', "", "name", "found none"),
        ('name="a.png"', 'name="../secret.png"', "name", "inside the image folder"),
        ('name="a.png"', 'name="/etc/passwd.png"', "name", "inside the image folder"),
        ('width="60" height="40">', 'width="60" height="41">', "width", "expected 60 x 40 px.*got 60 x 41"),
        ('width="60" height="40">', 'width="inf" height="40">', "width", "finite numbers width"),
    ],
)
def test_bad_images(labels: Path, photos: Path, old: str, new: str, field: str, message: str) -> None:
    labels.write_text(TEXT.replace(old, new, 1))
    found = read_cvat(labels, photos)
    (problem,) = found.problems
    assert re.fullmatch(rf"image\[\d\].{field}", problem.field)
    assert re.search(message, problem.message)
    assert len(found.samples) == 1


def test_unknown_labels_and_shapes_are_noted(labels: Path, photos: Path) -> None:
    labels.write_text(TEXT.replace('<box label="cell"', '<box label="cel"', 1).replace("ellipse", "cuboid"))
    found = read_cvat(labels, photos)
    assert [(p.severity, p.field) for p in found.problems] == [
        ("note", "image[0].box[0].label"),
        ("note", "image[0].cuboid[6]"),
    ]
    assert found.samples[0].instances[0].category == "cel"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TEXT[:400], "annotations.xml: line .*expected XML"),
        (BOMB, "without <!DOCTYPE"),
        ("<annotation/>", "root element <annotations>"),
        ('<annotations><track id="0"/></annotations>', "CVAT for video"),
    ],
)
def test_what_is_not_cvat_is_fatal(labels: Path, photos: Path, text: str, message: str) -> None:
    labels.write_text(text)
    found = read_cvat(labels, photos)
    (problem,) = found.problems
    assert problem.severity == "fatal"
    assert re.search(message, problem.message)
    assert [p.severity for p in read_cvat(photos, photos).problems] == ["fatal"]


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damaged(TEXT[TEXT.index("  <image") :]))
def test_no_damage_raises(labels: Path, photos: Path, text: str) -> None:
    labels.write_text(f"<annotations>{text}", newline="")
    assert_sound(read_cvat(labels, photos))


def test_frames_of_a_video_have_no_suffix_and_folders_may_be_missing(labels: Path, photos: Path) -> None:
    labels.write_text(TEXT.replace('name="a.png"', 'name="a"').replace('name="site/b.jpg"', 'name="site/b"'))
    assert [sample.id for sample in read_cvat(labels, photos).samples] == ["a.png", "site/b.jpg"]
    labels.write_text(TEXT.replace('name="a.png"', 'name="task/a.png"').replace("site/b.jpg", "task/site/b.jpg"))
    found = read_cvat(labels, photos)
    assert [sample.id for sample in found.samples] == ["a.png", "site/b.jpg"]
    assert found.problems == ()


def test_of_two_folders_the_one_called_as_the_image_folder_counts(labels: Path, photos: Path) -> None:
    image = '<image name="{}/a.png"><box label="c" xtl="{}" ytl="1" xbr="9" ybr="9"/></image>'
    labels.write_text(f"<annotations>{image.format('cam1', 5)}{image.format('photos', 2)}</annotations>")
    found = read_cvat(labels, photos)
    assert [instance.box for instance in found.samples[0].instances] == [(2, 1, 9, 9)]
    assert [problem.field for problem in found.problems] == ["image[0].name"]


@pytest.mark.parametrize("name", ["frame_000000", "frames/frame_000000", "scan.2024/frame_000000"])
def test_frames_of_a_video(labels: Path, photos: Path, name: str) -> None:
    (photos / "a.png").rename(photos / "frame_000000.png")
    labels.write_text(TEXT.replace('name="a.png"', f'name="{name}"'))
    found = read_cvat(labels, photos)
    assert found.problems == ()
    assert [sample.id for sample in found.samples] == ["frame_000000.png", "site/b.jpg"]


def test_frames_of_two_videos_cannot_be_told_apart(labels: Path, photos: Path) -> None:
    (photos / "a.png").rename(photos / "frame_0.png")
    image = '<image name="{}/frame_0"><box label="c" xtl="5" ytl="1" xbr="9" ybr="9"/></image>'
    labels.write_text(f"<annotations>{image.format('1')}{image.format('2')}</annotations>")
    found = read_cvat(labels, photos)
    assert (found.samples, [p.field for p in found.problems]) == ((), ["image[0].name", "image[1].name"])


def test_an_image_that_is_listed_again_keeps_all_its_labels(labels: Path, photos: Path) -> None:
    once = (
        '<image id="0" name="a.png" width="60" height="40"><box label="cell" xtl="1" ytl="2" xbr="9" ybr="8"/></image>'
    )
    more = once.replace("</image>", '<box label="cell" xtl="3" ytl="2" xbr="9" ybr="8"/></image>')
    labels.write_text(f"<annotations>{once}{more}</annotations>")
    found = read_cvat(labels, photos)
    assert [one.box for one in found.samples[0].instances] == [(1, 2, 9, 8), (3, 2, 9, 8)]
    (problem,) = found.problems
    assert (problem.severity, problem.message[:24]) == ("note", "'a.png' is labelled agai")
