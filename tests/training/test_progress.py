"""A display hears of every log line, and of a slow run in between."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import ImageSet
from tests.training.setting import SmallRun
from wesam.training.accelerator import make_accelerator
from wesam.training.progress import LossWindow, Progress


@pytest.mark.parametrize(("patience", "steps"), [(0.0, [1, 2, 3, 4]), (60.0, [3])])
def test_a_slow_run_is_shown_between_log_lines(
    image_set: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patience: float, steps: list[int]
) -> None:
    monkeypatch.setattr("wesam.training.progress._SHOWN_EVERY", patience)
    run = SmallRun(image_set, tmp_path, {"log_every": 3})
    run.folder.root.mkdir(exist_ok=True)
    shown: list[Progress] = []
    window = LossWindow(make_accelerator(run.config, run.folder), run.folder, run.config, shown.append, ("total",))
    for step in range(1, 5):
        window.add(2, {"total": torch.tensor(float(step))})
        if step % 3 == 0:
            window.flush(step, 1.0)
        else:
            window.tick(step)
    assert [one.step for one in shown] == steps
    written: list[dict[str, Any]] = run.folder.read_metrics()
    assert [(row["step"], row["total"]) for row in written] == [(3, 2.0)]  # what is written does not depend on time
    assert all(one.metrics == ({"total": 2.0} if one.step == 3 else {}) for one in shown)
