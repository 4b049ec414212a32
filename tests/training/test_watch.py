"""Signals along a small run: what is kept, what ends it, what it hands over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import ImageSet
from tests.training.setting import MeanLogit, SmallRun
from wesam.batches.batch import Batch
from wesam.errors import WesamError
from wesam.health.candidates import CandidateFolder
from wesam.health.signals import SIGNAL_NAMES
from wesam.training.checkpoint import list_checkpoints
from wesam.training.config import make_config
from wesam.updates.update import update_of

# Lowers every logit: masks shrink from the source model's, and no rule that looks should follow far.
EVERY_2 = {"health": {"every": 2}, "steps": 8, "checkpoint_every": 4, "learning_rate": 5e-2}


def finished(image_set: ImageSet, out: Path, **settings: Any) -> SmallRun:
    run = SmallRun(image_set, out, {**EVERY_2, **settings})
    run.train()
    return run


def selection(run: SmallRun) -> dict[str, Any]:
    return dict(json.loads((run.folder.adapter / "selection.json").read_text()))


def test_each_measurement_is_kept_with_its_weights(image_set: ImageSet, tmp_path: Path) -> None:
    run = finished(image_set, tmp_path)
    rows = [row for row in run.folder.read_metrics() if "health" in row]
    kept = CandidateFolder(run.folder.candidates)
    assert [row["step"] for row in rows] == [0, 2, 4, 6, 8]
    assert [row["health"] for row in rows] == [candidate.signals for candidate in kept.read()]
    assert set(rows[0]["health"]) == set(SIGNAL_NAMES)
    assert rows[0]["health"]["anchor_agreement"] == 1 > rows[-1]["health"]["anchor_agreement"]
    assert not any(bool(weight.any()) for name, weight in kept.weights(0).items() if "lora_B" in name)
    assert all(torch.equal(weight, run.weights[name]) for name, weight in kept.weights(8).items())
    assert selection(run)["rule"] == "last"
    assert selection(run)["measured_on"] == "6 images that are also trained on"


def test_not_to_adapt_leaves_an_adapter_that_does_nothing_and_says_why(image_set: ImageSet, tmp_path: Path) -> None:
    # Nothing but the source model agrees with it wholly.
    run = finished(image_set, tmp_path, selection={"rule": "best-healthy", "least_anchor_agreement": 1.0})
    assert not any(bool(weight.any()) for name, weight in run.weights.items() if "lora_B" in name)
    assert any(bool(weight.any()) for name, weight in run.weights.items() if "lora_A" in name)
    said = selection(run)
    assert (said["adapted"], said["step"], said["chosen"]) == (False, 0, "the source model")
    assert said["reason"].startswith("Do not adapt:")


def test_the_winner_is_restored(image_set: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The agreement with the source model alone is to decide.
    monkeypatch.setattr("wesam.health.selection.TOLERANCE", 1.0)
    monkeypatch.setattr("wesam.health.selection.LABEL_TOLERANCE", 1.0)
    run = finished(image_set, tmp_path, selection={"rule": "last-healthy", "least_anchor_agreement": 0.0})
    kept = CandidateFolder(run.folder.candidates)
    agreements = {candidate.step: candidate.signals["anchor_agreement"] for candidate in kept.read()}
    assert selection(run)["step"] == 8
    # The bar between the last two: the one before the last is handed over, though training went on.
    bar = (agreements[8] + agreements[6]) / 2
    assert agreements[8] < bar < agreements[6]
    rule = {"rule": "last-healthy", "least_anchor_agreement": bar}
    again = finished(image_set, tmp_path / "again", selection=rule)
    assert selection(again)["step"] == 6
    assert all(torch.equal(weight, again.weights[name]) for name, weight in kept.weights(6).items())
    state = update_of(again.segmenter).state()
    assert all(torch.equal(weight, again.weights[name]) for name, weight in state.items())


def test_a_run_that_gains_nothing_stops_early(image_set: ImageSet, tmp_path: Path) -> None:
    run = SmallRun(
        image_set,
        tmp_path,
        {**EVERY_2, "steps": 20, "selection": {"rule": "best-healthy", "least_anchor_agreement": 1.0, "patience": 2}},
    )
    result = run.train()
    assert result.steps == 4
    assert result.selection.chosen == 0
    assert run.events[-1]["event"] == "early stop"
    assert list_checkpoints(run.folder.checkpoints)[-1].name == "step-0000004"
    # Resumed, it stays ended.
    again = SmallRun(image_set, tmp_path, run.settings)
    assert (again.train().steps, again.train().resumed_from) == (4, 4)
    assert again.events == run.events  # and does not say so once more


class _Killed(MeanLogit):
    """Ends in the middle of a run, as a kill does."""

    def losses(self, batch: Batch) -> dict[str, torch.Tensor]:
        if self.progress >= 0.75:
            raise KeyboardInterrupt
        return super().losses(batch)


def test_a_resumed_run_measures_and_chooses_the_same(image_set: ImageSet, tmp_path: Path) -> None:
    rule = {"rule": "best"}
    whole = finished(image_set, tmp_path / "whole", selection=rule)
    broken = SmallRun(image_set, tmp_path / "broken", {**EVERY_2, "selection": rule}, learned=_Killed)
    with pytest.raises(KeyboardInterrupt):
        broken.train()
    assert CandidateFolder(broken.folder.candidates).read()[-1].step == 6  # after the checkpoint of step 4
    resumed = finished(image_set, tmp_path / "broken", selection=rule)
    files = sorted(path.name for path in whole.folder.candidates.iterdir())
    assert files == sorted(path.name for path in resumed.folder.candidates.iterdir())
    for name in files:
        assert (whole.folder.candidates / name).read_bytes() == (resumed.folder.candidates / name).read_bytes()
    assert selection(whole) == selection(resumed)
    assert [row for row in whole.folder.read_metrics() if "health" in row] == [
        row for row in resumed.folder.read_metrics() if "health" in row
    ]


def test_without_signals_the_last_step_is_taken(image_set: ImageSet, tmp_path: Path) -> None:
    run = finished(image_set, tmp_path, health={"every": 0})
    assert not run.folder.candidates.exists()
    assert selection(run) == {
        "rule": "last",
        "adapted": True,
        "reason": "The last step of the run; no mask was looked at to choose it.",
    }
    with pytest.raises(WesamError, match="health.every of at least 1 to choose by signals"):
        make_config(
            {"model": "m", "images": "i", "labels": "l", "out": "o"}
            | {"health": {"every": 0}}
            | {"selection": {"rule": "best"}}
        )
