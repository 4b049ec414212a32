"""A run without any label, on a tiny random network: it finds prompts of its own, once."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ImageSet
from wesam.adaptation import AdaptResult, adapt
from wesam.errors import WesamError
from wesam.training.checkpoint import list_checkpoints
from wesam.training.progress import Progress

GRID = {"grid": {"points_per_side": 6}, "max_area": 1.0, "max_around": 1.0}
FAST: dict[str, Any] = {"device": "cpu", "previews": 1, "warmup_steps": 1, "trackers": [], "steps": 4}
ADAPTER = "adapter_model.safetensors"


def run(image_set: ImageSet, model: Path, out: Path, **settings: Any) -> AdaptResult:
    return adapt(model, image_set.images, None, out, **{**FAST, "automatic": GRID, **settings})


@pytest.fixture(scope="module")
def finished(image_set: ImageSet, model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> AdaptResult:
    return run(image_set, model_folder, tmp_path_factory.mktemp("run") / "run")


def test_a_run_without_labels_adapts_and_keeps_its_prompts(finished: AdaptResult) -> None:
    prompts = json.loads((finished.folder / "prompts.json").read_text())
    assert finished.summary["instances"] == len(prompts["annotations"]) > 0
    assert (finished.adapter / ADAPTER).is_file()
    assert not (finished.folder / "automatic").exists()  # its candidates are no longer needed


def test_the_same_prompts_given_as_labels_make_the_same_adapter(
    finished: AdaptResult, image_set: ImageSet, model_folder: Path, tmp_path: Path
) -> None:
    labels = finished.folder / "prompts.json"
    again = adapt(model_folder, image_set.images, labels, tmp_path / "run", **FAST)
    assert (again.adapter / ADAPTER).read_bytes() == (finished.adapter / ADAPTER).read_bytes()


def test_a_resumed_run_takes_the_prompts_it_began_with(
    finished: AdaptResult, image_set: ImageSet, model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(progress: Progress) -> None:
        if progress.step >= 3:
            raise KeyboardInterrupt

    out = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        run(image_set, model_folder, out, checkpoint_every=2, log_every=3, on_progress=stop)
    assert list_checkpoints(out / "checkpoints")
    monkeypatch.setattr("wesam.training.automatic_labels.automatic_prompts", interrupt)
    resumed = run(image_set, model_folder, out, checkpoint_every=2, log_every=3, resume=True)
    assert resumed.summary["resumed_from"] == 2
    assert (resumed.adapter / ADAPTER).read_bytes() == (finished.adapter / ADAPTER).read_bytes()


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_run_killed_while_it_looks_for_prompts_goes_on_there(
    image_set: ImageSet, model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr("wesam.training.automatic_labels.automatic_prompts", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(image_set, model_folder, out)
    kept = sorted(path.name for path in (out / "automatic").iterdir())
    assert len(kept) == 6
    monkeypatch.setattr("wesam.automatic.cache.find_candidates", interrupt)  # nothing is asked twice
    assert run(image_set, model_folder, out, resume=True).summary["steps"] == 4


def test_images_kept_for_validation_are_not_adapted_to(image_set: ImageSet, model_folder: Path, tmp_path: Path) -> None:
    masks = json.loads(image_set.masks.read_text())
    kept = {image["id"] for image in masks["images"][:2]}
    masks["images"] = masks["images"][:2]
    masks["annotations"] = [entry for entry in masks["annotations"] if entry["image_id"] in kept]
    (tmp_path / "masks.json").write_text(json.dumps(masks))
    result = run(image_set, model_folder, tmp_path / "run", val_labels=tmp_path / "masks.json")
    assert result.evaluation is not None
    prompts = json.loads((result.folder / "prompts.json").read_text())
    assert [image["file_name"] for image in prompts["images"]] == ["3.png", "4.png", "5.png", "6.png"]
    with pytest.raises(WesamError, match="expected images beside those of val_labels to adapt to, found none"):
        run(image_set, model_folder, tmp_path / "all", val_labels=image_set.masks)


def test_says_so_where_nothing_survives(image_set: ImageSet, model_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(WesamError, match=r"automatic prompts: expected at least one mask to survive, got none of \d+"):
        run(image_set, model_folder, tmp_path / "run", automatic={**GRID, "iou_threshold": 100.0})


def test_masks_cannot_be_learned_from_without_labels(image_set: ImageSet, model_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(WesamError, match="method supervised: expected labels with masks, got no labels"):
        run(image_set, model_folder, tmp_path / "run", method={"name": "supervised"})
    assert not (tmp_path / "run" / "config.yaml").exists()


def test_two_processes_find_the_prompts_of_one(
    finished: AdaptResult, image_set: ImageSet, model_folder: Path, tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", f"--master-port={port}"]
    command += ["-m", "wesam", "adapt", "--model", str(model_folder), "--images", str(image_set.images)]
    command += ["--out", str(tmp_path / "run")]
    settings = {
        **FAST,
        "automatic.grid.points_per_side": 6,
        "automatic.max_area": 1.0,
        "automatic.max_around": 1.0,
        "batch_size": 1,
    }
    for key, value in settings.items():
        command += ["--set", f"{key}={value}"]
    path = os.pathsep.join(sys.path)
    subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path}, check=True)
    found, expected = (json.loads((root / "prompts.json").read_text()) for root in (tmp_path / "run", finished.folder))
    assert [entry["bbox"] for entry in found["annotations"]] == [entry["bbox"] for entry in expected["annotations"]]
