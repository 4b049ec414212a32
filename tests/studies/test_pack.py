from __future__ import annotations

from pathlib import Path

import pytest

from studies.pack import Pack
from wesam.errors import WesamError


def test_an_incomplete_pack_is_named(pack_folder: Path) -> None:
    (pack_folder / "weak_train.json").unlink()
    with pytest.raises(WesamError, match=r"weak_train\.json: expected a part of the pack"):
        Pack.at(pack_folder)


def test_corrupted_copies_are_made_once(pack_folder: Path, tmp_path: Path) -> None:
    pack = Pack.at(pack_folder)
    copy = pack.corrupted(tmp_path / "out", "fog", 3, seed=0)
    assert len(list(copy.images.iterdir())) == len(list(pack.images.iterdir()))
    written = {path: path.stat().st_mtime_ns for path in copy.images.iterdir()}
    assert pack.corrupted(tmp_path / "out", "fog", 3, seed=0) == copy
    assert {path: path.stat().st_mtime_ns for path in copy.images.iterdir()} == written
