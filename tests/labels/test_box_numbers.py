from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.labels.conftest import CocoSet
from tests.labels.written import WRITERS, Box
from wesam.labels.box_numbers import CENTRE, CORNER, EDGES, BoxNumbers, doubtful_reading
from wesam.labels.check import check

SIZE = (200, 100)

# Small ones all over the image, none of them in its upper left.
SPREAD = [(20, 15, 40, 30), (120, 20, 150, 40), (60, 60, 80, 90), (160, 70, 190, 95), (90, 30, 110, 50)]
# In its upper left, so that they fit as two corners, too.
UPPER = [(10, 8, 25, 20), (40, 12, 60, 25), (70, 30, 90, 45), (15, 30, 30, 44)]


def meant(boxes: Sequence[tuple[float, ...]], area: str = "") -> list[BoxNumbers]:
    numbers = np.array(boxes, dtype=float)
    width, height = numbers[:, 2] - numbers[:, 0], numbers[:, 3] - numbers[:, 1]
    areas = {"": 0 * width, "own": width * height, "product": numbers[:, 2] * numbers[:, 3]}[area]
    rows = zip(numbers.tolist(), areas.tolist(), strict=True)
    return [BoxNumbers((a, b, c, d), SIZE, "a.png", own) for (a, b, c, d), own in rows]


def sizes(boxes: Sequence[tuple[float, ...]]) -> list[tuple[float, ...]]:
    return [(a, b, c - a, d - b) for a, b, c, d in boxes]


def centred(boxes: Sequence[tuple[float, ...]]) -> list[tuple[float, ...]]:
    return [((a + c) / 2, (b + d) / 2, c - a, d - b) for a, b, c, d in boxes]


@pytest.mark.parametrize("boxes", [SPREAD, UPPER, SPREAD[:1], UPPER[:1], [(0, 0, 200, 100)] * 8, []])
def test_correct_boxes_are_silent(boxes: list[tuple[float, ...]]) -> None:
    if boxes:
        assert doubtful_reading(meant(boxes, "own"), EDGES) is None
        assert doubtful_reading(meant(sizes(boxes)), CORNER) is None
        assert doubtful_reading(meant(centred(boxes)), CENTRE) is None
    else:
        assert doubtful_reading([], CORNER) is None


def test_large_objects_whose_sizes_exceed_their_positions_are_silent() -> None:
    """One in the middle of each image, as polyps are: each is a box as two corners, too."""
    random = np.random.default_rng(0)
    for _ in range(50):
        start, size = random.uniform(0.1, 0.3, (12, 2)), random.uniform(0.4, 0.65, (12, 2))
        rows = np.concatenate([start, size], axis=1) * np.tile(SIZE, 2)
        boxes = [BoxNumbers(tuple(row), SIZE, f"{i}.png") for i, row in enumerate(rows.tolist())]
        assert doubtful_reading(boxes, CORNER) is None


@pytest.mark.parametrize("reading", [CORNER, CENTRE])
def test_two_corners_in_the_place_of_a_size(reading: str) -> None:
    told = doubtful_reading(meant(SPREAD), reading) or ""
    assert "boxes do not fit their image" in told
    assert f"all do as {EDGES}" in told


def test_two_corners_that_lie_inside_the_image_as_sizes_do() -> None:
    assert "they overlap" in (doubtful_reading(meant(UPPER), CORNER) or "")
    assert doubtful_reading(meant(UPPER[:2]), CORNER) is None  # two may overlap by chance
    apart = [BoxNumbers(box.numbers, SIZE, f"{i}.png") for i, box in enumerate(meant(UPPER))]
    assert doubtful_reading(apart, CORNER) is None


def test_areas_tell_two_corners_even_of_one_box() -> None:
    assert "the areas are theirs" in (doubtful_reading(meant(UPPER[:1], "own"), CORNER) or "")
    assert doubtful_reading(meant(UPPER[:1], "product"), CORNER) is None
    half = [*meant(UPPER[:1], "own"), *meant(UPPER[1:2], "product")]
    assert doubtful_reading(half, CORNER) is None


def test_sizes_that_grow_with_the_position_tell_two_corners() -> None:
    random = np.random.default_rng(1)
    start = random.uniform(0.05, 0.4, (8, 2))
    apart = np.concatenate([start, start + random.uniform(0.03, 0.08, (8, 2))], axis=1) * np.tile(SIZE, 2)

    def told(rows: np.ndarray) -> str:
        boxes = [BoxNumbers(tuple(row), SIZE, f"{i}.png") for i, row in enumerate(rows.tolist())]
        return doubtful_reading(boxes, CORNER) or ""

    assert "the further to the lower right, the larger" in told(apart)
    assert told(apart[:4]) == ""
    mixed = apart.copy()
    mixed[:, 2] = mixed[::-1, 2].clip(mixed[:, 0] + 1)  # only the heights grow
    assert told(mixed) == ""


@pytest.mark.parametrize(
    ("boxes", "reading", "other"),
    [
        (sizes(SPREAD), EDGES, CORNER),
        (centred(SPREAD), CORNER, CENTRE),
        (sizes([(2, 2, 40, 30), *SPREAD, (3, 60, 50, 90)]), CENTRE, CORNER),
        ([(b, a, d, c) for a, b, c, d in SPREAD], EDGES, "exchanged"),
        ([(b, a, d - b, c - a) for a, b, c, d in SPREAD], CORNER, "exchanged"),
    ],
)
def test_other_readings_that_fit_are_proposed(boxes: list[tuple[float, ...]], reading: str, other: str) -> None:
    told = doubtful_reading(meant(boxes), reading) or ""
    assert other in told


def test_one_box_that_leaves_its_image_is_a_slip() -> None:
    boxes = [*sizes(SPREAD), (150.0, 70.0, 80.0, 20.0)]
    assert doubtful_reading(meant(boxes), CORNER) is None
    assert doubtful_reading(meant([(40.0, 30.0, 30.0, 40.0), *SPREAD]), EDGES) is None


def _as_sizes(writer: Callable[[Path, str, Sequence[Box]], Path], place: Path, boxes: Sequence[Box]) -> Path:
    """Writes two corners where a format that has sizes expects these."""
    return writer(place, "a.png", [(a, b, a + c, b + d) for a, b, c, d in boxes])


@pytest.mark.parametrize("format", ["coco", "label-studio"])
def test_formats_that_have_sizes_tell_two_corners(tmp_path: Path, format: str) -> None:
    (tmp_path / "images").mkdir()
    Image.new("RGB", (60, 40), "grey").save(tmp_path / "images" / "a.png")
    labels = _as_sizes(WRITERS[format], tmp_path, [(10, 5, 20, 12), (40, 20, 50, 30), (25, 22, 38, 30)])
    report = check(tmp_path / "images", labels)
    assert "but all do as x0, y0, x1, y1" in "\n".join(map(str, report.notes))


@pytest.mark.parametrize("header", ["x,y,w,h", "left,top,width,height", "cx,cy,w,h"])
def test_tables_that_have_sizes_tell_two_corners(photos: Path, tmp_path: Path, header: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"image,{header}\na.png,10,5,20,12\na.png,40,20,50,30\na.png,25,22,38,30\n")
    assert "but all do as x0, y0, x1, y1" in "\n".join(map(str, check(photos, path).notes))


def test_yolo_lines_of_two_corners_and_of_the_upper_left_corner(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "yolo").mkdir()
    path = tmp_path / "yolo" / "a.txt"
    path.write_text("0 .1 .1 .3 .3\n0 .2 .3 .3 .5\n0 .5 .6 .8 .9\n")
    assert "but all do as x0, y0, x1, y1" in "\n".join(map(str, check(photos, path.parent).notes))
    path.write_text("0 .02 .02 .3 .3\n0 .6 .6 .3 .3\n0 .05 .5 .3 .3\n")
    assert "but all do as x, y, width, height" in "\n".join(map(str, check(photos, path.parent).notes))


@pytest.mark.parametrize("format", ["voc"])
def test_formats_that_have_corners_tell_sizes(tmp_path: Path, format: str) -> None:
    (tmp_path / "images").mkdir()
    Image.new("RGB", (60, 40), "grey").save(tmp_path / "images" / "a.png")
    labels = WRITERS[format](tmp_path, "a.png", [(30, 20, 10, 12), (40, 20, 10, 10), (25, 22, 8, 8)])
    assert "but all do as x, y, width, height" in "\n".join(map(str, check(tmp_path / "images", labels).notes))


def test_a_box_beside_its_mask_is_judged_by_that_alone(coco: CocoSet) -> None:
    for box in ([10, 5, 15, 8], [20, 10, 25, 13], [30, 15, 32, 18]):
        x0, y0, x1, y1 = box
        coco.add(bbox=[x0, y0, x1 - x0, y1 - y0], segmentation=[[x0, y0, x1, y0, x1, y1, x0, y1]], area=1)
    assert check(coco.images, coco.labels).notes == ()
    for one in coco.json["annotations"]:
        one.pop("segmentation")
        x, y, w, h = one["bbox"]
        one.update(bbox=[x, y, x + w, y + h], area=w * h)
    assert "the areas are theirs" in "\n".join(map(str, check(coco.images, coco.labels).notes))
    json.dumps(coco.json)
