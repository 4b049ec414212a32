from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.labels.written import WRITERS
from wesam.labels.check import check
from wesam.labels.tally import Tally


def test_what_is_said_and_when_it_is_grave() -> None:
    assert (str(Tally(3, 0)), Tally(3, 0).mostly_left_out) == ("", False)
    assert (str(Tally(3, 3)), Tally(3, 3).mostly_left_out) == ("used 3 of 6 objects", False)
    assert str(Tally(1, 19)).startswith("used 1 of 20 objects; most are left out")
    assert Tally(2, 3).mostly_left_out


@pytest.mark.parametrize("format", WRITERS)
def test_boxes_that_are_left_out_are_counted_in_every_format(photos: Path, tmp_path: Path, format: str) -> None:
    boxes = [(5, 5, 15, 15), *[(500 + n, 5, 600, 15) for n in range(3)]]
    report = check(photos, WRITERS[format](tmp_path, "a.png", boxes))
    assert report.tally == Tally(1, 3)
    assert str(report).splitlines()[-1].startswith("used 1 of 4 objects; most")


@pytest.mark.parametrize("format", WRITERS)
def test_so_are_those_of_images_that_are_not_there(photos: Path, tmp_path: Path, format: str) -> None:
    report = check(photos, WRITERS[format](tmp_path, "gone.png", [(5, 5, 15, 15), (20, 5, 30, 15)]))
    assert report.tally == Tally(0, 2)


def test_shapes_that_are_not_read_are_left_out_objects(photos: Path, tmp_path: Path) -> None:
    box = '<box label="cell" xtl="1" ytl="2" xbr="9" ybr="8"/>'
    other = '<polyline label="cell" points="1,1;2,2"/>'
    path = tmp_path / "annotations.xml"
    for count, exceeds in ((1, False), (2, True)):
        path.write_text(f'<annotations><image name="a.png">{box}{other * count}<tag label="x"/></image></annotations>')
        tally = check(photos, path).tally
        assert (tally.used, tally.left_out, tally.mostly_left_out) == (1, count, exceeds)
    labels = tmp_path / "labelme"
    labels.mkdir()
    shapes = [
        {"label": "cell", "shape_type": kind, "points": [[1, 2], [9, 8]]} for kind in ("rectangle", "line", "linestrip")
    ]
    (labels / "a.json").write_text(json.dumps({"imagePath": "a.png", "shapes": shapes}))
    assert check(photos, labels).tally.left_out == 2
