from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from wesam.errors import WesamError
from wesam.experiments import pack as pack_module
from wesam.experiments.pack import Pack


def test_an_incomplete_pack_is_named(pack_folder: Path) -> None:
    (pack_folder / "weak_train.json").unlink()
    with pytest.raises(WesamError, match=r"weak_train\.json: expected a part of the pack"):
        Pack.at(pack_folder)


def test_a_corrupted_copy_that_was_broken_off_is_made_again(
    pack_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole: Callable[..., int] = pack_module.corrupt_folder

    def stopped(images: Path, out: Path, *arguments: object) -> int:
        whole(images, out, *arguments)
        next(out.iterdir()).unlink()
        raise KeyboardInterrupt

    pack = Pack.at(pack_folder)
    monkeypatch.setattr(pack_module, "corrupt_folder", stopped)
    with pytest.raises(KeyboardInterrupt):
        pack.corrupted(tmp_path / "out", "fog", 3, seed=0)
    monkeypatch.setattr(pack_module, "corrupt_folder", whole)
    copy = pack.corrupted(tmp_path / "out", "fog", 3, seed=0)
    assert len(list(copy.images.iterdir())) == len(list(pack.images.iterdir()))
