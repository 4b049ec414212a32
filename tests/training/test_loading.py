from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest
import torch

from tests.conftest import ImageSet
from tests.training.setting import MeanFeature, SmallRun
from wesam.training.loading import is_worker_lost


class _KillsAWorker(MeanFeature):
    """SIGKILLs one of the processes that load images, in the middle of the fourth step."""

    steps = 0
    killed = 0

    def after_step(self) -> None:
        self.steps += 1
        children = multiprocessing.active_children()
        if self.steps == 4 and children and not self.killed:
            self.killed = children[0].pid or 0
            os.kill(self.killed, signal.SIGKILL)
            time.sleep(0.3)


def test_a_killed_worker_costs_nothing(image_set: ImageSet, tmp_path: Path) -> None:
    settings = {"steps": 8, "checkpoint_every": 3}
    whole = SmallRun(image_set, tmp_path / "whole", settings, MeanFeature)
    whole.train()
    run = SmallRun(image_set, tmp_path / "run", {**settings, "workers": 2}, _KillsAWorker)
    run.train()
    assert run.method.killed  # type: ignore[attr-defined]
    assert [row["event"] for row in run.events] == ["worker lost"]
    assert "going on from step 3 with 1 of them" in run.messages[0]
    assert all(torch.equal(run.weights[name], tensor) for name, tensor in whole.weights.items())


@pytest.mark.parametrize(
    ("message", "lost"),
    [
        ("DataLoader worker (pid(s) 17, 18) exited unexpectedly", True),
        ("DataLoader worker (pid 17) is killed by signal: Killed. ", True),
        ("DataLoader worker (pid 17) exited unexpectedly with exit code 1. Details are lost", True),
        ("Caught ValueError in DataLoader worker process 0.", False),
    ],
)
def test_what_torch_says_of_a_lost_worker(message: str, lost: bool) -> None:
    assert is_worker_lost(RuntimeError(message)) is lost
