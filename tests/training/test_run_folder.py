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


def test_a_run_killed_before_it_began_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / ".lock").touch()
    (tmp_path / ".config.yaml.x1.partial").mkdir()
    folder = RunFolder(tmp_path)
    folder.open(config(tmp_path), resume=False)
    assert {path.name for path in tmp_path.iterdir()} == {".lock", "config.yaml"}


def test_leftovers_of_a_killed_run_are_swept(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.open(config(tmp_path), resume=False)
    folder.close()
    for left in (tmp_path / ".adapter.x1.partial", folder.checkpoints / ".step-0000003.x1.partial"):
        (left / "new").mkdir(parents=True)
    folder.open(config(tmp_path), resume=True)
    assert not list(tmp_path.rglob("*.partial"))


def test_a_run_that_came_between_look_and_lock_is_not_written_over(tmp_path: Path) -> None:
    late, early = RunFolder(tmp_path), RunFolder(tmp_path)
    take_lock = late._take_lock

    def slowly() -> None:
        early.open(config(tmp_path), resume=False)
        early.close()
        take_lock()

    late._take_lock = slowly  # type: ignore[method-assign]
    with pytest.raises(WesamError, match="already holds a run"):
        late.open(config(tmp_path, seed=5), resume=False)
    assert "seed: 0" in early.config.read_text()


def test_a_place_that_cannot_be_written_is_said_with_what_there_still_is(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    nothing = "run: expected a folder that can be written.*No space left.*nothing was done"
    with pytest.raises(WesamError, match=nothing), folder.writing():
        raise OSError(28, "No space left on device")
    (folder.checkpoints / "step-0000010").mkdir(parents=True)
    with pytest.raises(WesamError, match="step-0000010; go on with --resume"), folder.writing():
        raise OSError(28, "No space left on device")


def test_memory_that_ends_outside_a_step_is_said_in_one_line(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with pytest.raises(WesamError, match="expected more memory, got: CUDA out of memory"), folder.writing():
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB\nmore")
    with pytest.raises(RuntimeError, match="our own bug"), folder.writing():
        raise RuntimeError("our own bug")


def test_a_folder_under_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = RunFolder(tmp_path / "file" / "run")
    with pytest.raises(WesamError, match="expected a folder that can be written"):
        folder.open(config(tmp_path / "file" / "run"), resume=False)
