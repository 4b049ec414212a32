from pathlib import Path

import pytest

from wesam.errors import WesamError
from wesam.training.config import RunConfig, make_config
from wesam.training.run_folder import RunFolder


def config(out: Path, **changes: object) -> RunConfig:
    return make_config({"model": "m", "images": "i", "labels": "l", "out": str(out), **changes})


def test_a_new_run_never_writes_over_an_old_one(tmp_path: Path) -> None:
    first = RunFolder(tmp_path / "run")
    first.open(config(tmp_path / "run"), resume=False)
    first.close()
    with pytest.raises(WesamError, match="already holds a run.*--resume"):
        RunFolder(tmp_path / "run").open(config(tmp_path / "run"), resume=False)


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(WesamError, match="new or empty folder"):
        RunFolder(tmp_path).open(config(tmp_path), resume=False)


def test_resume_refuses_other_settings_and_names_them(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.open(config(tmp_path / "run", seed=1), resume=False)
    folder.close()
    folder.open(config(tmp_path / "run", seed=1, workers=2), resume=True)  # workers do not change the result
    with pytest.raises(WesamError, match="seed was 1, now 2"):
        folder.open(config(tmp_path / "run", seed=2), resume=True)


def test_two_runs_cannot_write_one_folder(tmp_path: Path) -> None:
    first, second = RunFolder(tmp_path), RunFolder(tmp_path)
    first.open(config(tmp_path), resume=False)
    with pytest.raises(WesamError, match="another run writes to"):
        second.open(config(tmp_path), resume=True)
    first.close()
    second.open(config(tmp_path), resume=True)


def test_resume_drops_later_and_half_written_metrics(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for step in (10, 20, 30):
        folder.append_metrics({"step": step})
    with folder.metrics.open("a") as file:
        file.write('{"step": 4')
    folder.cut_metrics(20)
    assert [row["step"] for row in folder.read_metrics()] == [10, 20]
