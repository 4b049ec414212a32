from __future__ import annotations

from pathlib import Path

import pytest

from wesam.errors import WesamError
from wesam.experiments.pack import Pack


def test_an_incomplete_pack_is_named(pack_folder: Path) -> None:
    (pack_folder / "weak_train.json").unlink()
    with pytest.raises(WesamError, match=r"weak_train\.json: expected a part of the pack"):
        Pack.at(pack_folder)
