from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from PIL import Image

from tests.labels.damage import assert_sound
from wesam.labels import mask_folder
from wesam.labels.check import check
from wesam.labels.mask_folder import numbers_to_rles, read_masks

RAMP = np.arange(2400).reshape(40, 60)
SMALL = np.zeros((40, 60), np.uint8)
SMALL[2:5, 3:8] = 1
SMALL[5, 8] = 1  # touches at a corner
SMALL[20:30, 40:50] = 1


def save(path: Path, values: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)
    return path


@pytest.fixture
def masks(photos: Path) -> Path:
    return photos.parent / "masks"


@pytest.mark.parametrize("value", [1, 255])
def test_the_connected_parts_of_a_binary_set_are_objects(masks: Path, photos: Path, value: int) -> None:
    save(masks / "a.png", SMALL * value)
    save(masks / "site" / "b.png", np.zeros((50, 80), np.uint8))
    found = read_masks(masks, photos)
    assert found.problems == ()
    assert [(sample.id, len(sample.instances)) for sample in found.samples] == [("a.png", 2), ("site/b.jpg", 0)]
    first, second = found.samples[0].instances
    assert (first.id, first.box, first.category) == ("a.png:part 1", None, "")
    assert (first.mask().sum(), second.mask().sum()) == (16, 100)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_each_number_of_any_other_set_is_one_object(masks: Path, photos: Path, dtype: type) -> None:
    save(masks / "a.png", SMALL.astype(dtype))  # two parts of one object, as the set says
    numbers = np.zeros((50, 80), dtype)
    numbers[0], numbers[9] = 1, 7
    save(masks / "site" / "b.png", numbers)
    found = read_masks(masks, photos)
    assert found.problems == ()
    (whole,) = found.samples[0].instances
    np.testing.assert_array_equal(whole.mask(), SMALL > 0)
    assert [instance.id for instance in found.samples[1].instances] == ["site/b.png:value 1", "site/b.png:value 7"]


def test_another_number_keeps_the_parts_of_a_binary_mask_together(masks: Path, photos: Path) -> None:
    save(masks / "a.png", SMALL * 2)
    assert len(read_masks(masks, photos).samples[0].instances) == 1


def test_the_void_of_pascal_voc_is_no_object(masks: Path, photos: Path) -> None:
    values = SMALL.copy()
    values[0], values[1] = 255, 2
    save(masks / "a.png", values)
    found = read_masks(masks, photos)
    assert len(found.samples[0].instances) == 2
    assert [(p.severity, p.file, p.message) for p in found.problems] == [
        ("note", "masks", "255 beside other numbers is read as void, not as an object, in 1 of the masks")
    ]
    save(masks / "a.png", values.astype(np.uint16))
    found = read_masks(masks, photos)
    assert (len(found.samples[0].instances), found.problems) == (3, ())
    values[10] = 254
    save(masks / "a.png", values)
    found = read_masks(masks, photos)
    assert (len(found.samples[0].instances), found.problems) == (4, ())


@pytest.mark.parametrize("name", ["a_mask.png", "a_Segmentation.png", "a_cp_masks.png"])
def test_endings_of_names(masks: Path, photos: Path, name: str) -> None:
    save(masks / name, SMALL)
    assert [sample.id for sample in read_masks(masks, photos).samples] == ["a.png"]


def smooth() -> np.ndarray:
    values = SMALL * 255
    values[19, 44], values[30, 44] = 40, 200
    return values


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (SMALL[:30], "a mask of 60 x 40 px, the size of 'a.png', got 60 x 30"),
        (np.dstack([np.full_like(SMALL, 9), SMALL, SMALL]), "got 2 colours without black"),
        (np.dstack([RAMP, RAMP // 7, RAMP // 60]).astype(np.uint8), "at most 1000 colours on black.* and black"),
        (smooth(), "255 and 2 greys on few pixels"),
        (np.arange(2400, dtype=np.uint16).reshape(40, 60), "at most 2000 numbers, one an object, got 2399"),
    ],
)
def test_bad_masks(
    masks: Path, photos: Path, values: np.ndarray, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mask_folder, "MAX_OBJECTS", 2000)
    save(masks / "a.png", values)
    found = read_masks(masks, photos)
    (problem,) = found.problems
    assert (problem.severity, problem.file) == ("skip", "a.png")
    assert re.search(message, problem.message)
    assert found.samples == ()


def test_noise_is_not_thousands_of_objects(masks: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mask_folder, "MAX_OBJECTS", 1)
    save(masks / "a.png", SMALL)
    found = read_masks(masks, photos)
    assert [problem.message for problem in found.problems] == [
        "expected at most 1 connected parts, one an object, got 2"
    ]
    assert found.samples[0].instances == ()


def test_masks_without_image_and_broken_files(masks: Path, photos: Path) -> None:
    save(masks / "c.png", SMALL)
    path = save(masks / "a.png", SMALL)
    path.write_bytes(path.read_bytes()[:60])
    found = read_masks(masks, photos)
    assert [(p.severity, p.file) for p in found.problems] == [("skip", "a.png"), ("skip", "c.png")]
    assert found.samples == ()


def test_no_masks_are_fatal(masks: Path, photos: Path) -> None:
    assert [p.severity for p in read_masks(masks, photos).problems] == ["fatal"]


@given(st_numpy.arrays(np.int32, (5, 7), elements=st.integers(0, 3)))
def test_each_number_becomes_its_mask(values: np.ndarray) -> None:
    rles = numbers_to_rles(values)
    assert set(rles) == set(values.ravel().tolist()) - {0}
    for number, rle in rles.items():
        np.testing.assert_array_equal(mask_folder.coco_mask.decode(rle).astype(bool), values == number)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 300), st.binary(min_size=1, max_size=4)), min_size=1, max_size=3))
def test_no_damage_raises(masks: Path, photos: Path, edits: list[tuple[int, bytes]]) -> None:
    path = save(masks / "a.png", SMALL)
    content = bytearray(path.read_bytes())
    for start, replacement in edits:
        content[start : start + len(replacement)] = replacement
    path.write_bytes(content)
    assert_sound(read_masks(masks, photos))


def test_each_colour_on_black_is_one_object(masks: Path, photos: Path) -> None:
    """As CVAT writes SegmentationObject; blue is 255 as a number, and no void."""
    colours = np.zeros((40, 60, 3), np.uint8)
    colours[2:5, 3:8], colours[20:30, 40:50] = (0, 0, 255), (250, 50, 83)
    save(masks / "a.png", colours)
    found = read_masks(masks, photos)
    assert found.problems == ()
    assert sorted(instance.mask().sum() for instance in found.samples[0].instances) == [15, 100]


def test_a_mask_may_be_drawn_in_alpha(masks: Path, photos: Path) -> None:
    save(masks / "a.png", np.dstack([*[np.full_like(SMALL, 255)] * 3, SMALL * 255]))
    found = read_masks(masks, photos)
    assert found.problems == ()
    assert [instance.mask().sum() for instance in found.samples[0].instances] == [16, 100]


@pytest.mark.parametrize("name", ["a.tif", "a.tiff"])
def test_masks_may_be_tiff(masks: Path, photos: Path, name: str) -> None:
    save(masks / name, SMALL.astype(np.uint16) * 2)
    found = read_masks(masks, photos)
    assert found.problems == ()
    assert [len(sample.instances) for sample in found.samples] == [1]


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_images_among_the_masks_are_no_masks(photos: Path, suffix: str) -> None:
    """As Cellpose leaves them."""
    Image.new("L", (60, 40), 77).save(photos / f"c{suffix}")
    save(photos / "c_cp_masks.png", SMALL * 2)
    save(photos / "site" / "b.png", np.ones((50, 80), np.uint8))
    found = read_masks(photos, photos)
    assert found.problems == ()
    assert [(sample.id, len(sample.instances)) for sample in found.samples] == [(f"c{suffix}", 1), ("site/b.jpg", 1)]


def test_an_image_that_could_be_the_mask_of_its_mask(photos: Path) -> None:
    save(photos / "c.tif", np.full((40, 60), 77, np.uint8))
    save(photos / "c.png", SMALL * 2)
    found = read_masks(photos, photos)
    assert found.samples == ()
    assert [(p.severity, p.file) for p in found.problems] == [("skip", "c.png"), ("skip", "c.tif")]
    assert found.problems[0].message == (
        "expected to tell the image from its mask, got 'c.tif' of the same name: which is the mask? "
        "Call it c_mask, or keep masks in a folder of their own"
    )


def stack(path: Path, pages: list[np.ndarray]) -> None:
    path.parent.mkdir(exist_ok=True)
    first, *others = [Image.fromarray(page) for page in pages]
    first.save(path, save_all=True, append_images=others)


def two_discs() -> list[np.ndarray]:
    pages = [np.zeros((40, 60), np.uint8) for _ in range(3)]
    pages[0][5:15, 5:15], pages[0][20:25, 5:15], pages[1][8:30, 10:40] = 255, 255, 255
    return pages


@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_a_page_is_an_object_even_where_pages_overlap(masks: Path, photos: Path, suffix: str) -> None:
    pages = two_discs()
    stack(masks / f"a{suffix}", pages)
    found = read_masks(masks, photos)
    assert not found.problems
    first, second = found.samples[0].instances  # the third page is empty
    np.testing.assert_array_equal(first.mask(), pages[0] > 0)
    np.testing.assert_array_equal(second.mask(), pages[1] > 0)
    assert first.id.endswith("page 1")


def test_pages_beside_binary_masks_leave_these_binary(masks: Path, photos: Path) -> None:
    stack(masks / "a.tif", two_discs())
    (masks / "site").mkdir()
    parts = np.zeros((50, 80), np.uint8)
    parts[2:9, 2:9], parts[20:30, 20:30] = 255, 255
    Image.fromarray(parts).save(masks / "site" / "b.png")
    assert [len(sample.instances) for sample in read_masks(masks, photos).samples] == [2, 2]


def test_pages_that_are_planes_are_refused(masks: Path, photos: Path) -> None:
    stack(masks / "a.tif", [page // 255 * (n + 1) + (page * 0 + 3) * (page == 0) for n, page in enumerate(two_discs())])
    assert "got 2 numbers in page 1: if pages are planes" in str(read_masks(masks, photos).problems[0])
    stack(photos / "a.png", two_discs())
    assert "which has several itself" in str(read_masks(masks, photos).problems[0])


def write(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values.astype(np.uint8)).save(path)


def squares(*lefts: int, value: int = 255) -> np.ndarray:
    values = np.zeros((40, 60), np.uint8)
    for left in lefts:
        values[5:15, left : left + 8] = value
    return values


@pytest.mark.parametrize("apart", [False, True])
def test_masks_of_one_object_each_as_the_data_science_bowl_has_them(tmp_path: Path, apart: bool) -> None:
    root = tmp_path / "train"
    masks = tmp_path / "masks" if apart else root
    for name, lefts in (("one", (2, 20)), ("two", (30,))):
        write(root / name / "images" / f"{name}.png", np.full((40, 60, 3), 90))
        for number, left in enumerate(lefts):
            write(masks / name / "masks" / f"{number}f.png", squares(left))
    report = check(root, masks)
    assert report.problems == ()
    assert (report.summary.images, report.summary.masks) == (2, 3)
    found = read_masks(masks, root)
    assert [[one.id for one in sample.instances] for sample in found.samples] == [
        ["one/masks:0f.png", "one/masks:1f.png"],
        ["two/masks:0f.png"],
    ]


def test_masks_of_one_object_each_in_a_folder_called_as_the_image(photos: Path) -> None:
    masks = photos.parent / "masks"
    write(masks / "a" / "1.png", squares(2))
    write(masks / "a" / "2.png", squares(20))
    write(masks / "a" / "3.png", np.zeros((4, 6)))
    found = read_masks(masks, photos)
    assert [len(sample.instances) for sample in found.samples] == [2]
    assert [(p.field, p.objects) for p in found.problems] == [("3.png", 1)]


@pytest.mark.parametrize(
    ("value", "instances", "count"),
    [(3, None, 1), (3, "components", 3), (3, "values", 1), (255, None, 3), (255, "components", 3), (255, "values", 1)],
)
def test_what_the_objects_are_can_be_said(photos: Path, value: int, instances: str | None, count: int) -> None:
    masks = photos.parent / "masks"
    write(masks / "a.png", squares(2, 20, 40, value=value))
    found = read_masks(masks, photos, instances)
    assert len(found.samples[0].instances) == count
    noted = any("separate pieces" in note.message for note in check(photos, masks, format=_format(instances)).notes)
    assert noted is (count == 1 and instances is None)


def _format(instances: str | None) -> str:
    return "masks" if instances is None else f"masks:{instances}"


def test_each_part_of_each_class(photos: Path) -> None:
    masks = photos.parent / "masks"
    write(masks / "a.png", squares(2, 20, value=1) + squares(40, value=2))
    found = read_masks(masks, photos, "components")
    assert [one.id for one in found.samples[0].instances] == [
        "a.png:value 1 part 1",
        "a.png:value 1 part 2",
        "a.png:value 2 part 1",
    ]


def test_of_two_masks_of_one_image_none_counts(masks: Path, photos: Path) -> None:
    save(masks / "a_mask.png", SMALL)
    save(masks / "a_cp_masks.png", SMALL)  # one of them may be a prediction
    save(masks / "site" / "b.png", np.ones((50, 80), np.uint8))
    found = read_masks(masks, photos)
    assert [sample.id for sample in found.samples] == ["site/b.jpg"]
    assert [(problem.severity, problem.file, problem.objects) for problem in found.problems] == [
        ("skip", "a_cp_masks.png", 1),
        ("skip", "a_mask.png", 1),
    ]
    assert "expected one mask of 'a.png', got a_mask.png too" in found.problems[0].message
    assert "a.png" in found.left_out


def test_a_mask_beside_a_folder_of_masks_of_the_same_image(masks: Path, photos: Path) -> None:
    save(masks / "a.png", SMALL)
    save(masks / "a" / "1.png", SMALL)
    found = read_masks(masks, photos)
    assert found.samples == ()
    assert [(problem.file, problem.objects) for problem in found.problems] == [("a.png", 1), ("a", 1)]


def test_white_of_16_bits_is_binary(masks: Path, photos: Path) -> None:
    save(masks / "a.png", SMALL.astype(np.uint16) * 65535)
    assert len(read_masks(masks, photos).samples[0].instances) == 2


def test_a_mask_of_the_stored_pixels_of_a_turned_image(masks: Path, photos: Path) -> None:
    save(masks / "a.png", SMALL.T.copy())
    assert "made without its EXIF rotation?" in str(read_masks(masks, photos).problems[0])
    save(masks / "a.png", SMALL[1:].copy())
    assert "EXIF" not in str(read_masks(masks, photos).problems[0])
