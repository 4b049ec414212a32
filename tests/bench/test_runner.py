"""Cells on a tiny random model: one file each, resumed, and never of something else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import wesam.bench.runner as runner
from tests.bench.results import made_up
from tests.conftest import ImageSet
from wesam.adaptation import AdaptResult
from wesam.bench.arm import Arm
from wesam.bench.cells import Cell
from wesam.bench.gate import check_gate
from wesam.bench.methods import DIRECT, OURS, SUPERVISED, WESAM
from wesam.bench.plan import PAPER, Plan
from wesam.bench.result import read_result, read_results
from wesam.bench.runner import Bench, run_cells
from wesam.bench.target import Size
from wesam.errors import WesamError
from wesam.training.config import RunConfig

PLAN = Plan(
    size=Size(2, 1),
    real=Size(3, 1),
    steps=2,
    images=2,
    micro_batch=2,
    seeds=(0,),
    other_seeds=(0,),
    measure_every=1,
    quick=True,
)


@pytest.fixture(scope="module")
def folder(image_set: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image set as a user's data set."""
    root = tmp_path_factory.mktemp("mine")
    shutil.copytree(image_set.images, root / "images")
    for name in ("instances_train.json", "instances_test.json"):
        shutil.copy(image_set.masks, root / name)
    return root


@pytest.fixture
def bench(folder: Path, model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr("wesam.bench.datasets.read._unseen", lambda train, *_: list(train)[:5])
    return Bench(str(model_folder), tmp_path / "out", PLAN, {"mine": folder}, device="cpu")


def cell(arm: Arm, **changes: object) -> Cell:
    return replace(Cell(arm, "mine", "box", 0), **changes)  # type: ignore[arg-type]


def test_direct_and_a_method_that_learns(bench: Bench) -> None:
    told: list[str] = []
    cells = [cell(DIRECT), cell(OURS, others=("box", "click"), curve=True)]
    run_cells(bench, cells, told.append)
    direct, ours = (read_result(bench.result_file(one)) for one in cells)
    assert (direct.trained.count, direct.last.step, direct.selected.rule) == (0, 0, "none")
    assert ours.trained.count > 0
    assert ours.last.step == 2
    assert ours.selected.rule == "best-healthy"
    assert [score.step for score in ours.last.curve] == [0, 1, 2]
    assert ours.last.curve[0].images == direct.last.images  # the source model is a candidate
    assert ours.selected.others["box"].miou == ours.selected.miou
    assert ours.peak_mb > 0
    assert not (bench.out / "work" / cells[1].key).exists()
    assert len(read_results(bench.out / "results")) == 2
    assert len(told) == 2


def test_what_is_there_is_not_run_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    run_cells(bench, [cell(DIRECT)], lambda _: None)
    monkeypatch.setattr(runner, "run_cell", lambda *_: pytest.fail("ran again"))
    run_cells(bench, [cell(DIRECT)], lambda _: None)
    with pytest.raises(WesamError, match="other settings"):
        run_cells(replace(bench, plan=replace(PLAN, real=Size(2, 1))), [cell(DIRECT)], lambda _: None)


@pytest.mark.parametrize("arm", [SUPERVISED, WESAM], ids=lambda arm: arm.name)
def test_a_run_is_as_its_row_says(bench: Bench, arm: Arm, tmp_path: Path) -> None:
    one = cell(arm, prompt="click")
    config = runner.cell_config(bench, one, bench.target("mine"), tmp_path)
    assert config.steps == 2
    assert config.selection.rule == "best-healthy"
    assert config.health.every == 1
    assert config.update.target == ("qv" if arm is WESAM else config.update.target)


def test_two_processes_share_the_images_of_a_step(bench: Bench, tmp_path: Path) -> None:
    wide = replace(bench, plan=replace(PLAN, images=4))
    one, two = (
        runner.cell_config(replace(wide, processes=count), cell(OURS), bench.target("mine"), tmp_path / str(count))
        for count in (1, 2)
    )
    assert (one.accumulation, two.accumulation) == (2, 1)


@pytest.mark.slow
def test_a_killed_cell_ends_with_the_same_numbers(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = replace(bench, out=bench.out / "whole")
    run_cells(whole, [cell(OURS)], lambda _: None)
    real = runner.run

    def killed(config: RunConfig, resume: bool) -> AdaptResult:
        def stop(_: object) -> None:
            raise KeyboardInterrupt

        return real(config.model_copy(update={"log_every": 1, "checkpoint_every": 1}), resume=resume, on_progress=stop)

    monkeypatch.setattr(runner, "run", killed)
    with pytest.raises(KeyboardInterrupt):
        run_cells(bench, [cell(OURS)], lambda _: None)
    monkeypatch.setattr(runner, "run", real)
    run_cells(bench, [cell(OURS)], lambda _: None)
    first, second = (read_result(one.result_file(cell(OURS))) for one in (whole, bench))
    assert (first.last, first.selected) == (second.last, second.selected)


@pytest.mark.full
def test_a_cell_on_two_processes_is_the_cell_on_one(folder: Path, tmp_path: Path) -> None:
    """Within what the order of a sum of gradients leaves over."""
    shutil.copytree(folder, tmp_path / "data")
    for name in ("train", "test"):  # images of the test are others, or none is left to adapt to
        _keep_images(tmp_path / "data" / f"instances_{name}.json", odd=name == "test")
    found = {}
    for processes in (1, 2):
        launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
        arguments = ["wesam-tiny", str(tmp_path / "data"), str(tmp_path / str(processes))]
        command = [sys.executable, *launch, "-m", "tests.bench.one_cell", *arguments]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        subprocess.run(command, check=True, env=environment, cwd=Path(__file__).parents[2], capture_output=True)
        (found[processes],) = read_results(tmp_path / str(processes) / "results")
    one, two = (found[processes] for processes in (1, 2))
    assert one.trained == two.trained
    assert one.last.step == two.last.step == 3
    source = one.last.curve[0].images
    assert max(abs(last - before) for last, before in zip(one.last.images, source, strict=True)) > 0.01
    assert two.last.images == pytest.approx(one.last.images, abs=1e-3)
    assert two.selected.images == pytest.approx(one.selected.images, abs=1e-3)


def _keep_images(path: Path, odd: bool) -> None:
    """Every second image of a COCO file, with its objects."""
    content = json.loads(path.read_text())
    kept = {image["id"] for place, image in enumerate(content["images"]) if place % 2 == odd}
    for part, key in (("images", "id"), ("annotations", "image_id")):
        content[part] = [one for one in content[part] if one[key] in kept]
    path.write_text(json.dumps(content))


def test_the_gate_holds_back_what_does_not_start_as_published() -> None:
    fine = made_up("direct", 0.7429, dataset="coco", model="facebook/sam-vit-base")
    check_gate(fine, PAPER)
    low = made_up("direct", 0.71, dataset="coco", model="facebook/sam-vit-base")
    with pytest.raises(WesamError, match=r"published 74\.29, got 71\.00"):
        check_gate(low, PAPER)
    check_gate(low, PLAN)  # a quick try scores few images
    check_gate(low.model_copy(update={"model": "wesam-tiny"}), PAPER)
