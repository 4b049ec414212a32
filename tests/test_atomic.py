from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.full_disk import full_disk
from wesam.atomic import remove_leftovers, replaced_file, replaced_folder


def half_a_file(path: Path) -> None:
    with replaced_file(path) as partial:
        partial.write_text("half")
        raise KeyboardInterrupt


def half_a_folder(path: Path) -> None:
    with replaced_folder(path) as partial:
        (partial / "x").write_text("half")
        raise KeyboardInterrupt


def test_what_fails_half_way_leaves_the_old_and_no_trace(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "x").write_text("old")
    with pytest.raises(KeyboardInterrupt):
        half_a_file(tmp_path / "a")
    with pytest.raises(KeyboardInterrupt):
        half_a_folder(tmp_path / "b")
    assert (tmp_path / "a").read_text() == (tmp_path / "b" / "x").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


@pytest.mark.parametrize("replaced", [replaced_file, replaced_folder])
def test_what_a_full_disk_cuts_off_is_named(
    replaced: Callable[[Path], AbstractContextManager[Path]], tmp_path: Path
) -> None:
    path = tmp_path / "a"
    with full_disk(), pytest.raises(OSError, match="large") as raised, replaced(path) as partial:
        (partial / "x" if partial.is_dir() else partial).write_text("x" * 10_000)
    assert raised.value.filename == str(path)
    with pytest.raises(OSError, match="of no system") as raised, replaced(path):
        raise OSError("of no system")
    assert raised.value.filename is None


def test_what_a_kill_leaves_is_swept_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / ".hidden").touch()
    workspace = replaced_file(tmp_path / "a")
    workspace.__enter__().write_text("half")  # and never ended
    assert len(list(tmp_path.iterdir())) == 2
    remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".hidden"]
