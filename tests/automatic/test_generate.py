from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.automatic.conftest import PatchSegmenter, picture
from wesam.automatic.cache import CandidateCache
from wesam.automatic.generate import AutomaticPrompts, automatic_prompts
from wesam.automatic.settings import AutomaticSettings, GridSettings
from wesam.errors import WesamError
from wesam.labels.check import load_samples
from wesam.labels.unlabelled import load_unlabelled

SETTINGS = AutomaticSettings(grid=GridSettings(points_per_side=16), iou_quantile=0.5, stability_quantile=0)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """One object, none, two."""
    folder = tmp_path / "images"
    (folder / "sub").mkdir(parents=True)
    Image.fromarray(picture(64, 64, (10, 10, 30, 40))).save(folder / "a.png")
    Image.fromarray(picture(64, 64)).save(folder / "b.png")
    Image.fromarray(picture(50, 90, (5, 5, 30, 40), (50, 10, 80, 40))).save(folder / "sub" / "c.png")
    return folder


def found(images: Path, segmenter: PatchSegmenter, settings: AutomaticSettings = SETTINGS) -> AutomaticPrompts:
    samples, _ = load_unlabelled(images)
    return automatic_prompts(segmenter, samples, cache(images, segmenter), settings)


def cache(images: Path, segmenter: PatchSegmenter) -> CandidateCache:
    return CandidateCache(images.parent / "cache", segmenter, SETTINGS.grid)


def test_finds_the_objects_of_a_set(images: Path, patches: PatchSegmenter) -> None:
    result = found(images, patches)
    assert [len(sample.instances) for sample in result.samples] == [1, 0, 2]
    assert [sample.id for sample in result.prompted] == ["a.png", "sub/c.png"]
    instances = [instance for sample in result.samples for instance in sample.instances]
    assert set(result.scores) == {instance.id for instance in instances}
    assert all(i.box is not None and i.rle is not None and len(i.points) == 1 for i in instances)
    assert "3 prompts on 2 of 3 images" in str(result)


def test_what_is_written_is_read_back_as_labels(images: Path, patches: PatchSegmenter, tmp_path: Path) -> None:
    result = found(images, patches)
    result.write(tmp_path / "prompts.json")
    samples, report = load_samples(images, tmp_path / "prompts.json")
    assert not report.skipped
    for sample, original in zip(samples, result.prompted, strict=True):
        assert sample.id == original.id
        for instance, own in zip(sample.instances, original.instances, strict=True):
            assert (instance.box, instance.points) == (own.box, own.points)
            assert (instance.mask() == own.mask()).all()
    coco = json.loads((tmp_path / "prompts.json").read_text())
    assert [(a["score"], a["stability"]) for a in coco["annotations"]] == list(result.scores.values())


def test_a_killed_run_goes_on_and_other_thresholds_ask_nothing(images: Path, patches: PatchSegmenter) -> None:
    first, _ = load_unlabelled(images)
    automatic_prompts(patches, first[:1], cache(images, patches), SETTINGS)
    assert patches.asked == 256
    found(images, patches)
    assert patches.asked == 3 * 256
    found(images, patches, SETTINGS.model_copy(update={"iou_quantile": 0.1}))
    assert patches.asked == 3 * 256


def test_says_so_where_nothing_survives(images: Path, patches: PatchSegmenter) -> None:
    settings = SETTINGS.model_copy(update={"iou_threshold": 0.95})
    with pytest.raises(WesamError, match=r"got none of \d+ on 3 images; .*predicted IoU 0\.950, best 0\.900"):
        found(images, patches, settings)
    settings = SETTINGS.model_copy(update={"min_cells": 4000})
    with pytest.raises(
        WesamError, match=r"got none of (\d+) on 3 images; \1 were smaller than min_cells=4000 .*best 0\.000"
    ):
        found(images, patches, settings)
