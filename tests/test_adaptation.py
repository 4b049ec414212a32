"""What a run learns from, told by what its training is given."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.conftest import ImageSet
from wesam.adaptation import adapt, run
from wesam.errors import WesamError
from wesam.labels.check import load_samples
from wesam.training.checkpoint import list_checkpoints
from wesam.training.config import make_config
from wesam.training.run_folder import RunFolder
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
    assert masks == (labelled if method == "supervised" or prompt == "auto" else None)


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


def some_masks(image_set: ImageSet, path: Path, kept: int, boxes: bool = True) -> Path:
    """The set's boxes, and the first masks beside theirs or in their place."""
    coco = json.loads(image_set.masks.read_text())
    for entry in coco["annotations"][kept:]:
        del entry["segmentation"]
    if not boxes:
        for entry in coco["annotations"][:kept]:
            del entry["bbox"]
    path.write_text(json.dumps(coco))
    return path


SHORT = {"steps": 2, "warmup_steps": 0, "device": "cpu", "trackers": (), "previews": 0, "health": {"every": 0}}


@pytest.mark.parametrize("method", ["wesam", "shot"])
def test_masks_beside_boxes_are_learned_from(
    image_set: ImageSet, model_folder: Path, tmp_path: Path, method: str
) -> None:
    labels = some_masks(image_set, tmp_path / "some.json", 4)
    values = {"model": str(model_folder), "images": image_set.images, "labels": labels, "out": tmp_path / "run"}
    said: list[str] = []
    config = make_config({**values, **SHORT, "batch_size": 6, "log_every": 1, "method": {"name": method}})
    result = run(config, on_message=said.append)
    assert any(line.startswith("note: 4 of 15 objects have masks: they are learned from as they are") for line in said)
    assert result.summary["masks"] == 4
    assert result.summary["last_metrics"]["mask_focal"] > 0
    # The masks belong to what a resumed run must find again.
    some_masks(image_set, labels, 3)
    with pytest.raises(WesamError, match="of another content or labelled otherwise"):
        run(config, resume=True)


@pytest.mark.parametrize("boxes", [True, False])
def test_a_mask_that_is_learned_never_prompts(
    image_set: ImageSet, model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, boxes: bool
) -> None:
    labels = some_masks(image_set, tmp_path / "some.json", 4, boxes)
    weak, masks = given_to_training(image_set, model_folder, tmp_path / "run", monkeypatch, labels=labels)
    assert [carried(instance) for sample in weak for instance in sample.instances] == [["box"]] * 15
    boxed, _ = load_samples(image_set.images, image_set.boxes)
    assert [one.box for sample in weak for one in sample.instances] == [
        one.box for sample in boxed for one in sample.instances
    ]
    assert masks is not None
    assert sum(len(sample.instances) for sample in masks) == 4


def test_masks_that_are_kept_for_scoring_are_not_learned_from(
    image_set: ImageSet, model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored = json.loads(image_set.masks.read_text())
    scored["images"], scored["annotations"] = scored["images"][:1], scored["annotations"][:3]
    (tmp_path / "scored.json").write_text(json.dumps(scored))
    for number, (val_labels, left) in enumerate(((tmp_path / "scored.json", 12), (image_set.masks, 0))):
        _, masks = given_to_training(
            image_set, model_folder, tmp_path / str(number), monkeypatch, val_labels=val_labels
        )
        assert sum(len(sample.instances) for sample in masks or ()) == left
        assert (masks is None) == (left == 0)
        assert "1.png" not in {sample.id for sample in masks or ()}


def test_a_run_goes_on_from_an_adapter(image_set: ImageSet, model_folder: Path, tmp_path: Path) -> None:
    """With new labels, its kind of update and its weights; a killed one is resumed."""
    settings = {**SHORT, "selection": {"rule": "last"}, "method": {"teacher": "shared"}, "checkpoint_every": 1}
    first = adapt(
        model_folder,
        image_set.images,
        image_set.boxes,
        tmp_path / "first",
        **{**settings, "update": {"kind": "lora", "rank": 2}},
    )
    parent = load_file(first.adapter / "adapter_model.safetensors")
    settings |= {"start": first.adapter, "health": {"every": 5}, "learning_rate": 1e-9}
    labels = some_masks(image_set, tmp_path / "some.json", 4)
    second = adapt(model_folder, image_set.images, labels, tmp_path / "second", **settings)
    weights = load_file(second.adapter / "adapter_model.safetensors")
    for name, tensor in parent.items():
        torch.testing.assert_close(weights[name], tensor, atol=1e-7, rtol=0)
    assert second.summary["start"]["sha256"] == (second.adapter / "parent_adapter.sha256").read_text().strip()
    rows = [row for row in RunFolder(second.folder).read_metrics() if "health" in row]
    # The source model is still there to be chosen, and so is what the run came with.
    assert [row["step"] for row in rows] == [0, 1, 2]
    assert rows[0]["health"]["anchor_agreement"] == 1 > rows[1]["health"]["anchor_agreement"]

    shutil.rmtree(list_checkpoints(second.folder / "checkpoints")[-1])
    again = adapt(model_folder, image_set.images, labels, tmp_path / "second", resume=True, **settings)
    assert again.summary["resumed_from"] == 1
    resumed = load_file(again.adapter / "adapter_model.safetensors")
    assert all(torch.equal(resumed[name], tensor) for name, tensor in weights.items())
    save_file({name: tensor + 1 for name, tensor in parent.items()}, first.adapter / "adapter_model.safetensors")
    with pytest.raises(WesamError, match="expected the adapter that this run started from"):
        adapt(model_folder, image_set.images, labels, tmp_path / "second", resume=True, **settings)
