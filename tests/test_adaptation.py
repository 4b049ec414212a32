"""What a run learns from, told by what its training is given."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ImageSet
from wesam.adaptation import adapt, run
from wesam.errors import WesamError
from wesam.labels.check import load_samples
from wesam.training.config import make_config
from wesam.types import Instance, Sample


class _ReachedTrainingError(Exception):
    """Carries the samples, and the masks to learn from."""


def given_to_training(
    image_set: ImageSet, model: Path, out: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any
) -> tuple[Sequence[Sample], Sequence[Sample] | None]:
    def stop(config: object, accelerator: object, method: object, *given: Any) -> None:
        samples, _, masks, *_ = given
        raise _ReachedTrainingError(samples, masks)

    monkeypatch.setattr("wesam.adaptation.train", stop)
    given = {"labels": image_set.masks, "device": "cpu", "trackers": (), **settings}
    with pytest.raises(_ReachedTrainingError) as reached:
        adapt(model, image_set.images, out=out, **given)
    samples, masks = reached.value.args
    return samples, masks


def carried(instance: Instance) -> list[str]:
    return [part for part in ("box", "points", "rle") if getattr(instance, part)]


@pytest.mark.parametrize(
    ("prompt", "parts"), [("auto", ["box"]), ("box", ["box"]), ("point", ["points"]), ("mask", ["rle"])]
)
@pytest.mark.parametrize("method", ["wesam", "supervised"])
def test_a_run_prompts_with_the_kind_asked_for(
    image_set: ImageSet,
    model_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    prompt: str,
    parts: list[str],
) -> None:
    settings = {"method": {"name": method}, "prompt": prompt}
    weak, masks = given_to_training(image_set, model_folder, tmp_path / "run", monkeypatch, **settings)
    labelled, _ = load_samples(image_set.images, image_set.masks)
    assert [carried(instance) for sample in weak for instance in sample.instances] == [parts] * 15
    assert masks == (labelled if method == "supervised" else None)


def test_outlines_are_given_as_they_are_but_never_the_mask_that_is_learned(
    image_set: ImageSet, model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file's masks are labels to one method and ground truth to the other."""
    labelled, _ = load_samples(image_set.images, image_set.masks)
    for method in ("wesam", "supervised"):
        settings = {"method": {"name": method}, "prompt": "mask"}
        weak, _ = given_to_training(image_set, model_folder, tmp_path / method, monkeypatch, **settings)
        same = [
            prompted.rle == given.rle
            for asked, sample in zip(weak, labelled, strict=True)
            for prompted, given in zip(asked.instances, sample.instances, strict=True)
        ]
        assert all(same) if method == "wesam" else not any(same)


@pytest.mark.parametrize(
    ("weight", "prompt", "idle"),
    [("point_weight", "auto", True), ("point_weight", "point", False), ("point_weight", "box", True)],
)
def test_a_loss_on_labels_that_do_not_come_through_is_told(
    image_set: ImageSet,
    model_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    weight: str,
    prompt: str,
    idle: bool,
) -> None:
    """A COCO file has a box beside each polygon, and the box alone prompts by default."""
    monkeypatch.setattr("wesam.adaptation.train", None)
    given = {"model": str(model_folder), "images": image_set.images, "labels": image_set.masks, "out": tmp_path / "run"}
    settings = {"method": {weight: 1.0}, "prompt": prompt, "device": "cpu", "trackers": ()}
    told: list[str] = []
    with pytest.raises(TypeError):
        run(make_config({**given, **settings}), on_message=told.append)
    assert any(f"method.{weight} changes nothing" in line for line in told) is idle


def test_the_order_of_the_label_file_does_not_matter(image_set: ImageSet, model_folder: Path, tmp_path: Path) -> None:
    coco = json.loads(image_set.boxes.read_text())
    coco["images"].reverse()
    reversed_ = tmp_path / "reversed.json"
    reversed_.write_text(json.dumps(coco))
    settings = {
        "steps": 4,
        "batch_size": 1,
        "selection": {"rule": "last"},
        "device": "cpu",
        "trackers": (),
        "previews": 0,
    }
    one, other = (
        adapt(model_folder, image_set.images, labels, tmp_path / labels.stem, **settings).adapter
        for labels in (image_set.boxes, reversed_)
    )
    weights = [(adapter / "adapter_model.safetensors").read_bytes() for adapter in (one, other)]
    assert weights[0] == weights[1]


def test_a_run_that_learns_from_masks_goes_on_with_the_same_ones(
    image_set: ImageSet, model_folder: Path, tmp_path: Path
) -> None:
    labels, out = tmp_path / "masks.json", tmp_path / "run"
    coco = json.loads(image_set.masks.read_text())
    labels.write_text(json.dumps(coco))
    settings = {"method": {"name": "supervised"}, "steps": 2, "device": "cpu", "trackers": (), "previews": 0}
    adapt(model_folder, image_set.images, labels, out, **settings)
    x, y, width, height = coco["annotations"][0]["bbox"]
    corners = [x, y, x + width, y, x + width, y + height, x, y + height]
    coco["annotations"][0]["segmentation"] = [corners]  # another mask in the same box
    labels.write_text(json.dumps(coco))
    with pytest.raises(WesamError, match="of another content or labelled otherwise"):
        adapt(model_folder, image_set.images, labels, out, resume=True, **settings)


def test_masks_are_never_learned_from_and_scored_with(image_set: ImageSet, model_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(WesamError, match=r"val_labels: expected masks of images that .* does not learn from, got \S+"):
        adapt(
            model_folder,
            image_set.images,
            image_set.masks,
            tmp_path / "run",
            val_labels=image_set.masks,
            method={"name": "supervised"},
            device="cpu",
        )
    assert not (tmp_path / "run").exists()


def test_that_scored_images_were_adapted_to_is_said(image_set: ImageSet, model_folder: Path, tmp_path: Path) -> None:
    said: list[str] = []
    values = {
        "model": str(model_folder),
        "images": image_set.images,
        "labels": image_set.boxes,
        "out": tmp_path / "run",
    }
    short = {"steps": 1, "warmup_steps": 0, "previews": 0, "trackers": [], "device": "cpu"}
    config = make_config({**values, **short, "val_labels": image_set.masks})
    count = len(load_samples(image_set.images, image_set.boxes)[0])
    summary = run(config, on_message=said.append).summary
    assert summary["scored_images_adapted_to"] == count
    assert f"note: {count} of {count} images to score on are adapted to as well, without masks" in said
