from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.labels.conftest import CocoSet
from wesam.errors import WesamError
from wesam.labels.check import check, load_samples
from wesam.labels.images import read_sample
from wesam.types import ImageReading


@pytest.fixture
def messy(coco: CocoSet) -> CocoSet:
    """Two good instances, and one of each thing that can go wrong without being fatal."""
    coco.add_image("broken.png").write_bytes(coco.images.joinpath("a.png").read_bytes()[:60])
    coco.add_image("bare.png")
    coco.add_image("tiny.png", width=20, height=50)
    coco.add_image("spare.png")
    coco.json["images"].pop()
    coco.json["images"].append({"id": 9, "file_name": "gone.png"})
    coco.add()
    coco.add(image_id=2)
    coco.add(image_id=4, bbox=[0, 0, 10, 10])
    coco.add(bbox=[0, 0, -1, 1])
    coco.add(image_id=77)
    return coco


def test_all_problems_at_once(messy: CocoSet) -> None:
    report = check(messy.images, messy.labels)
    assert report.fatal == ()
    assert {(Path(p.file).name, p.field) for p in report.skipped} == {
        ("labels.json", "images[4].file_name"),
        ("labels.json", "annotations[3].bbox"),
        ("labels.json", "annotations[4].image_id"),
        ("broken.png", ""),
    }
    notes = "\n".join(str(note) for note in report.notes)
    assert "tiny.png: a tiny image of 20 x 50 px" in notes
    assert "1 image without a usable instance: bare.png" in notes
    assert "1 image not in the labels: spare.png" in notes
    assert (report.summary.images, report.summary.instances) == (2, 2)


@pytest.mark.parametrize("change", [{"width": 600}, {"id": None}])
def test_an_image_that_is_left_out_is_not_called_unlabelled(coco: CocoSet, change: dict[str, object]) -> None:
    coco.add_image("b.png")
    coco.json["images"][1].update(change)
    coco.add()
    report = check(coco.images, coco.labels)
    assert [len(report.skipped), len(report.notes), report.unlabelled] == [1, 0, None]


def test_an_image_whose_mask_is_left_out_is_not_called_unlabelled(photos: Path) -> None:
    masks = photos.parent / "masks"
    (masks / "site").mkdir(parents=True)
    Image.new("L", (60, 41), 1).save(masks / "a.png")
    Image.new("L", (80, 50), 1).save(masks / "site" / "b.png")
    assert check(photos, masks).unlabelled is None


def test_the_report_reads_well(messy: CocoSet) -> None:
    lines = str(check(messy.images, messy.labels)).splitlines()
    assert lines[0].startswith("skip  labels.json: images[4].file_name: expected an image file")
    assert lines[-2].startswith("2 images, 2 instances (2 boxes, 0 with points, 0 masks); objects of")
    assert lines[-1] == "used 2 of 5 objects; most are left out, so find out why before you trust a result"
    assert sum("broken.png" in line for line in lines) == 1


def test_load_samples_keeps_what_is_usable(messy: CocoSet) -> None:
    samples, report = load_samples(messy.images, messy.labels)
    assert [(sample.id, len(sample.instances)) for sample in samples] == [("a.png", 1), ("tiny.png", 1)]
    assert len(report.skipped) == 4


def test_without_decoding_damage_stays_hidden(messy: CocoSet) -> None:
    samples, _ = load_samples(messy.images, messy.labels, decode=False)
    assert "broken.png" in [sample.id for sample in samples]


def test_no_usable_instance_is_fatal(coco: CocoSet) -> None:
    coco.add(bbox=[0, 0, 0, 0])
    coco.add(bbox=[500, 0, 5, 5])
    report = check(coco.images, coco.labels)
    assert [p.message for p in report.fatal] == ["expected at least one usable instance, got none"]
    assert len(report.skipped) == 2
    with pytest.raises(WesamError, match="at least one usable instance"):
        load_samples(coco.images, coco.labels)


def test_a_broken_file_is_told_with_its_place(coco: CocoSet) -> None:
    path = coco.root / "bad.json"
    path.write_text('{"images": [')
    with pytest.raises(WesamError, match=r"bad\.json: line 1 column 13: expected JSON"):
        load_samples(coco.images, path)
    assert len(check(coco.images, path).problems) == 1


def test_missing_folder_is_fatal(coco: CocoSet) -> None:
    assert [p.severity for p in check(coco.root / "nowhere", coco.labels).problems] == ["fatal"]


def test_tiny_objects_are_noted_for_the_encoder_in_question(coco: CocoSet) -> None:
    coco.add_image("large.png", width=1000, height=500)
    for _ in range(3):
        coco.add(image_id=2, bbox=[50, 50, 36, 36])
    report = check(coco.images, coco.labels, input_size=256)
    assert any("median object is 9 px on the encoder's 256-px input" in note.message for note in report.notes)
    assert any("--tile 288" in note.message for note in report.notes)
    assert not any("median" in note.message for note in check(coco.images, coco.labels, 1024).notes)
    assert not any("median" in note.message for note in check(coco.images, coco.labels).notes)


def test_paths_may_be_text_and_the_format_may_be_given(coco: CocoSet) -> None:
    coco.add()
    report = check(str(coco.images), str(coco.labels), format="coco")
    assert (report.fatal, report.labels) == ((), coco.root / "labels.json")
    assert len(load_samples(str(coco.images), str(coco.labels), format="coco")[0]) == 1
    with pytest.raises(WesamError, match="format: expected one of"):
        check(coco.images, coco.labels, format="excel")
    assert check(coco.images, coco.labels, format="cvat").fatal


def test_labels_in_a_folder(coco: CocoSet) -> None:
    (coco.root / "labels").mkdir()
    (coco.root / "labels" / "a.txt").write_text("0 0.5 0.5 0.5 0.5\n0 9 9 1 1\n")
    samples, report = load_samples(coco.images, coco.root / "labels")
    assert [instance.box for instance in samples[0].instances] == [(15, 10, 45, 30)]
    assert [(p.file, p.field) for p in report.skipped] == [("a.txt", "line 2")]


def test_what_is_no_label_file_says_what_was_looked_for(coco: CocoSet) -> None:
    report = check(coco.images, coco.images / "a.png")
    assert "Label Studio: a JSON list of tasks" in report.fatal[0].message


def test_what_somebody_who_goes_on_is_told(messy: CocoSet) -> None:
    _, report = load_samples(messy.images, messy.labels)
    lines = report.lines()
    assert len(lines) == len(report.problems) - 1
    assert not any("not in the labels" in line for line in lines)
    assert lines[0].startswith("skipped: labels.json: images[4].file_name:")
    assert lines[-1].startswith("note: ")
    assert report.lines(2) == [*lines[:2], f"... and {len(lines) - 2} more; wesam check lists them all"]


def test_that_nothing_is_left_comes_with_the_reasons(coco: CocoSet) -> None:
    coco.add(bbox=[0, 0, -1, 1])
    with pytest.raises(WesamError, match=r"got none\nskipped: labels.json: annotations\[0\].bbox: "):
        load_samples(coco.images, coco.labels)


def test_a_stack_is_left_out_until_its_page_is_chosen(coco: CocoSet) -> None:
    pages = [Image.new("L", (60, 40), n) for n in range(3)]
    pages[0].save(coco.images / "a.png", format="TIFF", save_all=True, append_images=pages[1:])
    coco.add()
    report = check(coco.images, coco.labels)
    assert "a.png: expected one page, got a stack of 3: --page N" in str(report.skipped[0])
    samples, report = load_samples(coco.images, coco.labels, reading=ImageReading(page=3))
    assert not report.skipped
    assert read_sample(samples[0])[0, 0].tolist() == [2, 2, 2]


def test_how_images_are_read_is_noted_once_for_all(coco: CocoSet) -> None:
    for name in ("a.png", "b.png"):
        infrared = np.dstack([np.zeros((40, 60, 3), np.uint8), np.full((40, 60), 99, np.uint8)])
        if name == "b.png":
            coco.add_image(name)
        Image.fromarray(infrared).save(coco.images / name)
    coco.add()
    coco.add(image_id=2)
    notes = [str(note) for note in check(coco.images, coco.labels).notes]
    assert len(notes) == 1
    assert "2 images whose last band is tagged as alpha" in notes[0]
    assert notes[0].endswith("a.png, b.png")
