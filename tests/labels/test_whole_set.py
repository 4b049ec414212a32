from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.labels.conftest import CocoSet
from tests.labels.written import SIZE, WRITERS, Box
from wesam.labels.check import CheckReport, check

PIXEL_FORMATS = [name for name in WRITERS if name not in ("yolo", "label-studio")]

GOOD = [(10, 5, 30, 25), (35, 10, 50, 30)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of images, with a.png of 60 x 40 pixels."""
    made = tmp_path / "photos"
    made.mkdir()
    Image.new("RGB", (60, 40), "grey").save(made / "a.png")
    return made


def notes(report: CheckReport) -> str:
    assert not report.fatal
    return "\n".join(problem.message for problem in report.notes)


@pytest.mark.parametrize("format", WRITERS)
def test_correct_boxes_of_every_format_are_silent(folder: Path, format: str) -> None:
    report = check(folder, WRITERS[format](folder.parent, "a.png", GOOD))
    assert report.problems == ()
    assert (str(report.tally), report.summary.boxes) == ("", 2)


@pytest.mark.parametrize("format", PIXEL_FORMATS)
def test_fractions_where_pixels_are_expected_are_told_once(folder: Path, format: str) -> None:
    report = check(folder, WRITERS[format](folder.parent, "a.png", [(0.15, 0.3, 0.45, 0.7), (0.5, 0.25, 0.875, 0.75)]))
    (problem,) = report.problems
    assert (problem.severity, "all coordinates lie within 0..1" in problem.message) == ("fatal", True)
    assert str(report.tally).startswith("used 0 of 2 objects")


@pytest.mark.parametrize("format", PIXEL_FORMATS)
def test_a_small_box_in_the_corner_and_a_pixel_alone_are_no_fractions(
    folder: Path, format: str, tmp_path: Path
) -> None:
    first = 1 if format == "voc" else 0
    for number, boxes in enumerate(([(first, first, 1, 1)], [(0.25, 0.25, 0.75, 0.75), GOOD[0]])):
        place = tmp_path / str(number)
        place.mkdir()
        report = check(folder, WRITERS[format](place, "a.png", boxes), decode=False)
        assert (report.fatal, report.summary.boxes) == ((), len(boxes))


@pytest.mark.parametrize(("end", "fatal"), [(1.05, True), (1.2, False)])
def test_fractions_may_go_a_little_over_the_border(folder: Path, tmp_path: Path, end: float, fatal: bool) -> None:
    report = check(folder, WRITERS["csv"](tmp_path, "a.png", [(0.15, 0.3, 0.45, end), (0.5, 0.25, 0.875, 0.75)]))
    assert bool(report.fatal) is fatal


@pytest.mark.parametrize("format", PIXEL_FORMATS)
def test_some_objects_in_fractions_are_named(folder: Path, format: str, tmp_path: Path) -> None:
    report = check(folder, WRITERS[format](tmp_path, "a.png", [*GOOD, (0.15, 0.3, 0.45, 0.7)]))
    assert "coordinates within 0..1, so within the first pixel, in 1 object" in notes(report)


def many(folder: Path, images: int, boxes: list[Box]) -> Path:
    rows = []
    for number in range(images):
        Image.new("RGB", SIZE, "grey").save(folder / f"{number}.png")
        rows += [f"{number}.png,{a},{b},{c},{d}" for a, b, c, d in boxes]
    (folder / "a.png").unlink()
    path = folder.parent / "many.csv"
    path.write_text("\n".join(["image,x0,y0,x1,y1", *rows]))
    return path


@pytest.mark.parametrize(
    ("images", "boxes", "silent"),
    [
        (5, [(2, 2, 10, 9), (12, 10, 29, 19)], False),
        (2, [(2, 2, 10, 9), (12, 10, 29, 19)] * 4, True),  # two images may be so by chance
        (4, [(2, 2, 10, 9), (12, 10, 29, 19)], True),  # so may eight objects
        (5, [(2, 2, 10, 9), (12, 10, 31, 19)], True),
    ],
)
def test_labels_that_all_lie_in_the_upper_left_are_of_smaller_copies(
    folder: Path, images: int, boxes: list[Box], silent: bool
) -> None:
    said = notes(check(folder, many(folder, images, boxes)))
    assert ("in the upper left quarter of their images: labels of smaller copies" in said) is not silent


def test_fractions_where_percentages_are_expected(folder: Path) -> None:
    boxes = [(a / 100, b / 100, c / 100, d / 100) for a, b, c, d in GOOD]
    (problem,) = check(folder, WRITERS["label-studio"](folder.parent, "a.png", boxes)).problems
    assert (problem.severity, "multiply all by 100" in problem.message) == ("fatal", True)


@pytest.mark.parametrize(
    "shape", [{"segmentation": [[0.2, 0.2, 0.5, 0.2, 0.5, 0.6, 0.2, 0.6]]}, {"keypoints": [0.3, 0.4, 2]}]
)
def test_outlines_and_points_in_fractions(coco: CocoSet, shape: dict[str, object]) -> None:
    for _ in range(3):
        coco.add(**{"bbox": None, **shape})
    (problem,) = check(coco.images, coco.labels).fatal
    assert "all coordinates lie within 0..1" in problem.message


def test_a_box_as_two_corners_beside_its_mask_is_named(coco: CocoSet) -> None:
    outline = [[20.0, 15, 40, 15, 40, 30, 20, 30]]
    coco.add(id=7, bbox=[20, 15, 40, 30], segmentation=outline)
    assert "in 1 object (7)" not in notes(check(coco.images, coco.labels))  # cut at the border it is left out, noted
    coco.json["annotations"][0].update(bbox=[15, 10, 30, 24], segmentation=[[15.0, 10, 30, 10, 30, 24, 15, 24]])
    told = notes(check(coco.images, coco.labels))
    assert "box and mask do not fit together in 1 object (7); the boxes look like two corners" in told


@pytest.mark.parametrize("box", [[20, 15, 20, 15], [18, 13, 24, 19], [20, 15, 30, 15], [21, 16, 18, 13]])
def test_boxes_that_fit_their_masks_are_silent(coco: CocoSet, box: list[int]) -> None:
    coco.add(bbox=box, segmentation=[[20.0, 15, 40, 15, 40, 30, 20, 30]])
    assert check(coco.images, coco.labels).problems == ()


@pytest.mark.parametrize(("x", "y", "silent"), [(15, 15, True), (33, 12, True), (50, 15, False), (15, 38, False)])
def test_key_points_far_outside_their_box_are_named(coco: CocoSet, x: int, y: int, silent: bool) -> None:
    coco.add(id=3, bbox=[10, 10, 20, 15], keypoints=[x, y, 2])
    assert notes(check(coco.images, coco.labels)) == (
        "" if silent else "points on an object lie far outside its box or mask in 1 object (3)"
    )


def test_points_off_an_object_may_lie_anywhere(folder: Path) -> None:
    path = folder.parent / "t.csv"
    path.write_text("image,x0,y0,x1,y1,x,y,positive,object\na.png,5,5,15,15,,,,1\na.png,,,,,55,35,0,1\n")
    assert check(folder, path).problems == ()
    path.write_text("image,x0,y0,x1,y1,x,y,positive,object\na.png,5,5,15,15,,,,1\na.png,,,,,55,35,1,1\n")
    assert "far outside its box" in notes(check(folder, path))


def write_masks(folder: Path, masks: list[np.ndarray]) -> Path:
    (folder.parent / "masks").mkdir(exist_ok=True)
    for number, mask in enumerate(masks):
        Image.new("RGB", mask.shape[::-1], "grey").save(folder / f"{number}.png")
        Image.fromarray(mask.astype(np.uint8)).save(folder.parent / "masks" / f"{number}.png")
    (folder / "a.png").unlink(missing_ok=True)
    return folder.parent / "masks"


def disc(radius: int, inverted: bool = False) -> np.ndarray:
    yy, xx = np.mgrid[:40, :60]
    return ((xx - 30) ** 2 + (yy - 20) ** 2 < radius**2) != inverted


def test_backgrounds_labelled_as_objects_are_told(folder: Path) -> None:
    masks = write_masks(folder, [disc(10, True), disc(15, True), disc(8)])
    told = notes(check(folder, masks))
    assert "in 2 images (0.png, 1.png): is the background labelled as an object" in told
    write_masks(folder, [disc(10, True), disc(15), disc(8), np.ones((40, 60))])  # half of them are not most
    assert notes(check(folder, masks)) == ""


def test_large_objects_are_no_background(folder: Path) -> None:
    large = np.zeros((40, 60))
    large[1:-1, 2:-2] = 1  # 89 % of the image
    assert notes(check(folder, write_masks(folder, [large, large]))) == ""


@pytest.mark.parametrize("format", WRITERS)
def test_boxes_around_the_whole_image_are_told(folder: Path, format: str, tmp_path: Path) -> None:
    report = check(folder, WRITERS[format](tmp_path, "a.png", [(0, 0, 60, 40)]))
    assert "every box is around the whole image, in 1 image (a.png)" in notes(report)


def test_one_box_around_the_whole_image_is_none_of_our_business(coco: CocoSet) -> None:
    coco.add(bbox=[0, 0, 60, 40])
    coco.add()
    assert check(coco.images, coco.labels).problems == ()


def turn(folder: Path, orientation: int, size: tuple[int, int]) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", size, "grey").save(folder / "a.jpg", exif=exif)
    (folder / "a.png").unlink()


@pytest.mark.parametrize("format", WRITERS)
def test_turned_images_are_told_where_labels_cannot_know(folder: Path, format: str) -> None:
    turn(folder, 3, (60, 40))
    told = notes(check(folder, WRITERS[format](folder.parent, "a.jpg", GOOD)))
    knows = format in ("cvat", "labelme", "label-studio")  # these tools show images upright
    assert ("1 image (a.jpg) turned by EXIF orientation" in told) is not knows


@pytest.mark.parametrize(
    ("orientation", "size", "stated", "silent"),
    [
        (1, (60, 40), False, True),
        (6, (40, 60), False, False),
        (6, (40, 60), True, True),  # the size of the upright image
        (3, (60, 40), True, False),
        (8, (60, 60), True, False),
    ],
)
def test_a_stated_size_tells_whether_labels_know(
    folder: Path, orientation: int, size: tuple[int, int], stated: bool, silent: bool
) -> None:
    turn(folder, orientation, size)
    path = WRITERS["coco"](folder.parent, "a.jpg", GOOD)
    content = json.loads(path.read_text())
    if stated:
        content["images"][0].update(width=60, height=size[1] if orientation != 6 else 40)
    path.write_text(json.dumps(content))
    assert (notes(check(folder, path)) == "") is silent


def test_what_was_written_here_is_known_to_be_upright(folder: Path) -> None:
    turn(folder, 3, (60, 40))
    path = WRITERS["coco"](folder.parent, "a.jpg", GOOD)
    path.write_text(json.dumps({**json.loads(path.read_text()), "info": {"description": "written by wesam 1"}}))
    assert check(folder, path).problems == ()


def test_masks_of_classes_are_told_with_the_way_out(folder: Path) -> None:
    cells = np.zeros((40, 60))
    cells[5:15, 5:15] = cells[20:30, 30:40] = 1
    cells[25:35, 5:15] = cells[5:10, 40:50] = cells[20:30, 45:55] = 2
    told = notes(check(folder, write_masks(folder, [cells])))
    assert "5 separate pieces in 2 objects" in told
    assert "--instances components" in told


def test_an_object_in_two_parts_among_others_is_fine(folder: Path) -> None:
    cells = np.zeros((40, 60))
    cells[5:15, 5:15] = cells[20:30, 30:40] = 1  # behind something
    cells[25:35, 5:15] = 2
    cells[30, 20] = 2  # a crumb
    cells[5:10, 40:50] = 3
    assert notes(check(folder, write_masks(folder, [cells]))) == ""
