from pathlib import Path

import pytest

from wesam.errors import WesamError
from wesam.training.accelerator import make_accelerator
from wesam.training.config import make_config
from wesam.training.run_folder import RunFolder

FAST = {"device": "cpu", "trackers": []}


def test_a_process_that_runs_one_precision_says_so_of_another(tmp_path: Path) -> None:
    given = {"model": "m", "images": "i", "out": tmp_path, **FAST}
    make_accelerator(make_config(given), RunFolder(tmp_path))
    with pytest.raises(WesamError, match="precision, device: expected those of the run before in this Python process"):
        make_accelerator(make_config({**given, "precision": "fp16"}), RunFolder(tmp_path))


def test_processes_wait_for_one_that_works_alone_longer_than_the_ten_minutes_of_nccl(tmp_path: Path) -> None:
    config = make_config({"model": "m", "images": "i", "out": tmp_path, **FAST})
    handler = make_accelerator(config, RunFolder(tmp_path)).init_handler
    assert handler is not None
    assert handler.timeout is not None
    assert handler.timeout.total_seconds() >= 3600


def test_a_tracker_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wesam.training.accelerator.get_available_trackers", lambda: [])
    config = make_config({"model": "m", "images": "i", "out": tmp_path, **FAST, "trackers": ["wandb"]})
    with pytest.raises(WesamError, match="trackers: expected installed ones, got wandb"):
        make_accelerator(config, RunFolder(tmp_path))
