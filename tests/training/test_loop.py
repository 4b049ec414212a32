"""The loop on a tiny network: what a run leaves behind, and that neither a kill nor a second process changes it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.conftest import ImageSet
from tests.tiny import tiny_segmenter
from tests.training.setting import NOTHING, MeanFeature, SmallRun
from wesam.adaptation import adapt
from wesam.errors import WesamError
from wesam.labels.check import load_samples
from wesam.training.accelerator import make_accelerator
from wesam.training.checkpoint import list_checkpoints
from wesam.training.config import make_config
from wesam.training.loop import train
from wesam.training.progress import Progress
from wesam.training.run_folder import RunFolder
from wesam.updates.lora import LoraSettings
from wesam.updates.update import add_update

FAST = {"device": "cpu", "previews": 0, "warmup_steps": 2, "learning_rate": 1e-2, "trackers": []}


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "adapter" / "adapter_model.safetensors")


def command(model: Path, images: ImageSet, out: Path, *settings: str) -> list[str]:
    arguments = ["-m", "wesam", "adapt", "--model", str(model), "--images", str(images.images)]
    arguments += ["--labels", str(images.boxes), "--out", str(out)]
    for setting in (*(f"{key}={value}" for key, value in FAST.items()), *settings):
        arguments += ["--set", setting]
    return arguments


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}


def test_a_run_leaves_all_that_is_promised(image_set: ImageSet, model_folder: Path, tmp_path: Path) -> None:
    seen: list[Progress] = []
    result = adapt(
        model_folder,
        image_set.images,
        image_set.boxes,
        tmp_path / "run",
        val_labels=image_set.masks,
        steps=6,
        checkpoint_every=2,
        log_every=2,
        on_progress=seen.append,
        selection={"rule": "last"},  # six steps of a random model are no better than none
        **{**FAST, "previews": 2, "trackers": ["tensorboard"]},
    )
    run = tmp_path / "run"
    assert [state.step for state in seen if state.metrics] == [2, 4, 6]
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    losses, health = ([row for row in rows if kind in row] for kind in ("total", "health"))
    assert [row["step"] for row in losses] == [2, 4, 6]
    assert {"total", "focal", "anchor", "student_prompt", "learning_rate"} <= losses[0].keys()
    assert [row["step"] for row in health] == [0, 6]
    assert [path.name for path in list_checkpoints(run / "checkpoints")] == ["step-0000004", "step-0000006"]
    assert len(list((run / "previews").glob("*.png"))) == 2
    assert list(run.rglob("events.out.tfevents*"))
    assert "wesam" in (run / "config.yaml").read_text()
    assert json.loads((run / "summary.json").read_text())["steps"] == 6
    assert (run / "report.html").is_file()
    assert result.evaluation is not None
    assert result.evaluation.first.difference is not None
    assert any(bool(tensor.any()) for name, tensor in weights(run).items() if "lora_B" in name)


def test_same_config_and_seed_give_the_same_adapter(image_set: ImageSet, model_folder: Path, tmp_path: Path) -> None:
    runs = []
    for name, seed, workers in (("a", 1, 0), ("b", 1, 2), ("c", 2, 0)):
        adapt(
            model_folder,
            image_set.images,
            image_set.boxes,
            tmp_path / name,
            steps=4,
            seed=seed,
            workers=workers,
            **FAST,
        )
        runs.append(weights(tmp_path / name))
    assert all(torch.equal(runs[0][name], runs[1][name]) for name in runs[0])
    assert any(not torch.equal(runs[0][name], runs[2][name]) for name in runs[0])


@pytest.mark.parametrize("teacher", ["shared", "ema"])
def test_a_killed_run_resumes_to_the_same_adapter_bit_for_bit(
    image_set: ImageSet, model_folder: Path, tmp_path: Path, teacher: str
) -> None:
    settings = ("steps=60", "checkpoint_every=5", f"method.teacher={teacher}", "method.name=wesam")
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    run = [sys.executable, *command(model_folder, image_set, whole, *settings)]
    subprocess.run(run, env=environment(), check=True, capture_output=True)

    run = [sys.executable, *command(model_folder, image_set, killed, *settings)]
    process = subprocess.Popen(run, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while len(list_checkpoints(killed / "checkpoints")) < 2:  # the first holds no step yet
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (killed / "adapter").exists()

    subprocess.run([*run, "--resume"], env=environment(), check=True, capture_output=True)
    assert (killed / "adapter" / "adapter_model.safetensors").read_bytes() == (
        whole / "adapter" / "adapter_model.safetensors"
    ).read_bytes()
    rows = [json.loads(line) for line in (killed / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "health" in row] == [0, 50, 60]
    steps = [row["step"] for row in rows if "total" in row]
    assert steps == sorted(set(steps))
    assert steps[-1] == 60


def launch_two(arguments: list[str]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", f"--master-port={port}"]
    subprocess.run([*launch, *arguments], env=environment(), check=True, capture_output=True)


def test_two_processes_compute_the_step_of_one(image_set: ImageSet, model_folder: Path, tmp_path: Path) -> None:
    one = command(model_folder, image_set, tmp_path / "one", "steps=8", "batch_size=1", "accumulation=2")
    subprocess.run([sys.executable, *one], env=environment(), check=True, capture_output=True)
    two = command(model_folder, image_set, tmp_path / "two", "steps=8", "batch_size=1")
    launch_two(two)
    expected, got = weights(tmp_path / "one"), weights(tmp_path / "two")
    for name, tensor in expected.items():
        torch.testing.assert_close(got[name], tensor, rtol=1e-3, atol=1e-5)


def test_another_number_of_processes_does_not_go_on(image_set: ImageSet, tmp_path: Path) -> None:
    SmallRun(image_set, tmp_path, {"steps": 3}).train()
    (newest, *_) = list_checkpoints(tmp_path / "checkpoints")[::-1]
    state = json.loads((newest / "state.json").read_text())
    (newest / "state.json").write_text(json.dumps({**state, "processes": 2}))
    with pytest.raises(WesamError, match=r"expected 2 process\(es\), with which this run was begun, got 1"):
        SmallRun(image_set, tmp_path, {"steps": 3}).train()


def test_each_micro_batch_draws_its_own_dropout(image_set: ImageSet, tmp_path: Path) -> None:
    run = SmallRun(image_set, tmp_path, {"steps": 3, "batch_size": 1, "accumulation": 2, "health": {"every": 0}})
    run.segmenter = tiny_segmenter()
    add_update(run.segmenter, LoraSettings(), seed=0)
    run.segmenter.network.vision_encoder.patch_embed = torch.nn.Sequential(
        run.segmenter.network.vision_encoder.patch_embed, torch.nn.Dropout(0.5)
    )
    run.method = MeanFeature(run.segmenter, NOTHING)
    drawn: list[torch.Tensor] = []
    dropout = next(part for part in run.segmenter.network.modules() if isinstance(part, torch.nn.Dropout) and part.p)
    dropout.register_forward_hook(lambda _, __, output: drawn.append(output != 0))
    run.train()
    assert len(drawn) == 6
    assert not any(torch.equal(drawn[first], drawn[second]) for first in range(6) for second in range(first))


def test_two_processes_stop_early_together(image_set: ImageSet, model_folder: Path, tmp_path: Path) -> None:
    """Only the first one measures, and nothing but the source model agrees with it wholly."""
    out = tmp_path / "run"
    rule = (
        "selection.rule=best-healthy",
        "selection.least_anchor_agreement=1",
        "selection.patience=2",
        "health.every=2",
    )
    run = command(model_folder, image_set, out, "steps=20", "batch_size=1", *rule)
    for arguments in (run, [*run, "--resume"]):  # resumed, both processes find it ended
        launch_two(arguments)
        assert json.loads((out / "summary.json").read_text())["steps"] == 4
        assert list_checkpoints(out / "checkpoints")[-1].name == "step-0000004"
        assert not any(bool(tensor.any()) for name, tensor in weights(out).items() if "lora_B" in name)
    events = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines() if "event" in line]
    assert {(row["event"], row["step"]) for row in events} == {("early stop", 4)}


@pytest.mark.parametrize("workers", [0, 1])
def test_an_image_lost_in_the_middle_is_named_in_one_line(image_set: ImageSet, tmp_path: Path, workers: int) -> None:
    images = tmp_path / "images"
    shutil.copytree(image_set.images, images)
    values = {"model": "tiny", "images": images, "labels": image_set.boxes, "out": tmp_path / "run", "steps": 30}
    config = make_config({**values, **FAST, "workers": workers})
    samples, _ = load_samples(images, image_set.boxes)
    segmenter = tiny_segmenter()
    add_update(segmenter, LoraSettings(), seed=0)
    (images / "3.png").write_bytes(b"")
    folder = RunFolder(config.out)
    accelerator, method = make_accelerator(config, folder), MeanFeature(segmenter, NOTHING)
    with pytest.raises(WesamError, match=r"^[^\n]*3\.png: expected an image[^\n]*$"):
        train(config, accelerator, method, samples, folder)


def test_supervised_needs_masks(image_set: ImageSet, model_folder: Path, tmp_path: Path) -> None:
    arguments = (model_folder, image_set.images)
    with pytest.raises(WesamError, match="mask"):
        adapt(*arguments, image_set.boxes, tmp_path / "a", method={"name": "supervised"}, steps=4, **FAST)
    adapt(
        *arguments,
        image_set.masks,
        tmp_path / "b",
        method={"name": "supervised"},
        prompt="box",
        steps=4,
        selection={"rule": "last"},
        **FAST,
    )
    assert any(bool(tensor.any()) for name, tensor in weights(tmp_path / "b").items() if "lora_B" in name)


def test_direct_is_the_source_model(image_set: ImageSet, model_folder: Path, tmp_path: Path) -> None:
    result = adapt(
        model_folder,
        image_set.images,
        image_set.boxes,
        tmp_path / "run",
        val_labels=image_set.masks,
        method={"name": "direct"},
        **FAST,
    )
    assert result.evaluation is not None
    assert result.evaluation.first.difference is not None
    assert result.evaluation.first.difference.difference == 0
    assert result.summary["selection"]["adapted"] is False
