"""Every entry reads its data set in miniature as the paper's authors did, oddities included."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.bench.datasets.miniature import coco, grey_edged, numbered, photo, save
from wesam.bench.datasets.read import Found, read_dataset
from wesam.bench.datasets.registry import DATASETS

SMALL, LARGE = (4, 5, 14, 20), (20, 8, 40, 30)


def opened(name: str, root: Path, variant: str = "") -> Found:
    found = read_dataset(DATASETS[name], root, variant)
    assert found.fatal == (), str(found)
    return found


def ids(found: Found) -> tuple[list[str], list[str]]:
    return [sample.id for sample in found.train], [sample.id for sample in found.test]


def areas(found: Found) -> list[list[int]]:
    """Of the objects of each image, train first."""
    halves = (*found.train, *found.test)
    return [[int(instance.mask().sum()) for instance in sample.instances] for sample in halves]


def told(found: Found) -> str:
    return "\n".join(map(str, found.problems))


def test_coco_counts_in_the_order_of_ids_and_leaves_crowds_out(tmp_path: Path) -> None:
    coco(tmp_path)
    found = opened("coco", tmp_path)
    train, test = ids(found)
    assert train == [f"val2017/{number:012d}.jpg" for number in (1, 2, 4, 5, 6, 8)]
    assert test == ["val2017/000000000007.jpg"]
    assert areas(found)[0] == [150]
    assert "1 crowd regions" in told(found)
    assert "8 of the 5000 images" in told(found)


def test_coco_c_is_coco_with_other_images(tmp_path: Path) -> None:
    coco(tmp_path, "corruption/fog")
    found = opened("coco-c", tmp_path, "fog")
    assert ids(found)[1] == ["corruption/fog/000000000007.jpg"]
    assert found.test[0].path.is_file()


def test_voc_reads_palette_indices_and_no_void(tmp_path: Path) -> None:
    for number in range(8):
        photo(tmp_path / "JPEGImages" / f"2007_{number}.jpg", number)
        values = numbered(SMALL, LARGE)
        values[30:32, 20:40] = 255
        if number != 7:
            save(tmp_path / "SegmentationObject" / f"2007_{number}.png", values, "P")
    found = opened("voc", tmp_path)
    assert [len(half) for half in ids(found)] == [6, 1]
    assert areas(found) == [[150, 440]] * 7
    assert "no mask" not in told(found)


def test_kvasir_goes_by_its_list_and_parts_polyps_of_jpeg_masks(tmp_path: Path) -> None:
    names = ["c", "a", "f", "b", "e", "d"]
    for seed, name in enumerate(names):
        photo(tmp_path / "images" / f"{name}.jpg", seed)
        path = tmp_path / "masks" / f"{name}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(numbered(SMALL, LARGE).clip(0, 1) * np.uint8(255)).convert("RGB").save(path, quality=60)
    (tmp_path / "kavsir_bboxes.json").write_text(json.dumps({name: {"bbox": []} for name in names}))
    found = opened("kvasir", tmp_path)
    assert ids(found) == ([f"images/{name}.jpg" for name in names[:5]], ["images/d.jpg"])
    assert all(sizes == [pytest.approx(150, rel=0.1), pytest.approx(440, rel=0.1)] for sizes in areas(found))


def test_isic_has_one_lesion_an_image_and_its_own_split(tmp_path: Path) -> None:
    for seed, part in enumerate(("Training", "Test")):
        folder = tmp_path / f"ISBI2016_ISIC_Part1_{part}"
        photo(Path(f"{folder}_Data") / "ISIC_0000000.jpg", seed)
        save(Path(f"{folder}_GroundTruth") / "ISIC_0000000_Segmentation.png", grey_edged(SMALL, LARGE))
    found = opened("isic", tmp_path)
    train, test = ids(found)
    assert train == ["ISBI2016_ISIC_Part1_Training_Data/ISIC_0000000.jpg"]
    assert test == ["ISBI2016_ISIC_Part1_Test_Data/ISIC_0000000.jpg"]
    assert areas(found) == [[590], [590]]


def test_chameleon_takes_masks_of_one_bit_too(tmp_path: Path) -> None:
    for number in range(7):
        photo(tmp_path / "Image" / f"animal-{number}.jpg", number)
        save(tmp_path / "GT" / f"animal-{number}.png", grey_edged(LARGE), "1" if number else None)
    found = opened("chameleon", tmp_path)
    assert [len(half) for half in ids(found)] == [6, 1]
    assert areas(found)[0] == [440]


def test_camo_knows_no_grey_objects_and_skips_masks_of_another_size(tmp_path: Path) -> None:
    for seed, (half, name) in enumerate(
        [("Train", "camourflage_1"), ("Train", "camourflage_2"), ("Test", "camourflage_3")]
    ):
        photo(tmp_path / "Images" / half / f"{name}.jpg", seed)
        mask = grey_edged(SMALL, LARGE)
        save(tmp_path / "GT" / f"{name}.png", mask if seed != 1 else mask[:20], "RGB" if seed == 2 else None)
    found = opened("camo", tmp_path)
    assert ids(found) == (["Images/Train/camourflage_1.jpg"], ["Images/Test/camourflage_3.jpg"])
    assert areas(found) == [[590], [590]]
    assert "GT/camourflage_2.png: expected a mask of 48 x 40 px" in told(found)


def test_cod10k_counts_images_without_an_animal(tmp_path: Path) -> None:
    for number in range(10):
        photo(tmp_path / "Test" / "Image" / f"COD10K-{number}.jpg", number)
        mask = grey_edged(LARGE) if number else np.zeros((40, 48), np.uint8)
        save(tmp_path / "Test" / "GT_Object" / f"COD10K-{number}.png", mask)
    found = opened("cod10k", tmp_path)
    assert [name[-5] for name in ids(found)[0]] == list("1235678")
    assert [name[-5] for name in ids(found)[1]] == list("49")
    assert "1 images without an object are left out" in told(found)


def test_ocid_leaves_floor_and_table_out(tmp_path: Path) -> None:
    table, floor, other = "ARID10/table/top/seq02", "ARID20/floor/left/seq01", "YCB10/table/left/seq03"
    for seed, place in enumerate((floor, table, other)):
        for number in range(4):
            photo(tmp_path / place / "rgb" / f"r{number}.png", 10 * seed + number)
            things = [(0, 0, 48, 4), SMALL, LARGE, (0, 35, 9, 39)][: number + 1]  # heaps grow; the first is empty
            save(tmp_path / place / "label" / f"r{number}.png", numbered(*things).astype(np.uint16))
    found = opened("ocid", tmp_path)
    assert ids(found) == (
        [
            *(f"{table}/rgb/r{number}.png" for number in (2, 3)),
            *(f"{floor}/rgb/r{number}.png" for number in (1, 2, 3)),
            f"{other}/rgb/r2.png",
        ],
        [f"{other}/rgb/r3.png"],
    )
    assert areas(found) == [[440], [440, 36], [150], [150, 440], [150, 440, 36], [440], [440, 36]]
    assert "12 of the 2390 images" in told(found)


def test_osd_has_an_object_a_number(tmp_path: Path) -> None:
    for number in range(7):
        photo(tmp_path / "image_color" / f"learn{number}.png", number)
        save(tmp_path / "annotation" / f"learn{number}.png", numbered(SMALL, LARGE))
    found = opened("osd", tmp_path)
    assert [len(half) for half in ids(found)] == [6, 1]
    assert areas(found) == [[150, 440]] * 7
