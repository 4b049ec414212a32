from __future__ import annotations

from pathlib import Path

from studies.mask_prompts import FEEDINGS, OUTLINE, compare_feedings, table
from studies.pack import Pack
from tests.tiny import tiny_segmenter
from wesam.labels.check import load_samples
from wesam.prompts.coarse_mask import MaskFeeding


def test_every_way_is_scored_on_every_object_in_tiles_too(pack_folder: Path) -> None:
    samples, _ = load_samples(Pack.at(pack_folder).images, Pack.at(pack_folder).test_masks)
    ways = {"box": FEEDINGS["box"], "mask": MaskFeeding(box=False)}
    scores = compare_feedings(tiny_segmenter(), samples[:2], ways, tile=40, overlap=20)
    assert list(scores) == [OUTLINE, "box", "mask"]
    for images in scores.values():
        assert [len(image) for image in images] == [len(sample.instances) for sample in samples[:2]]
    outline = [iou for image in scores[OUTLINE] for iou, _ in image]
    assert 0.7 < min(outline) < 1
    assert scores["box"] != scores["mask"]


def test_the_table_tells_tiny_objects_apart() -> None:
    lines = table({"box": [[(0.5, True), (0.7, False)], [(0.2, False)]]}).splitlines()
    assert lines[0] == "| outline given as | mIoU | mIoU of 1 objects below 4 cells |"
    assert lines[2] == "| box | 40.0 | 50.0 |"
    assert table({"box": [[(0.5, False)]]}).splitlines()[2] == "| box | 50.0 |  |"
