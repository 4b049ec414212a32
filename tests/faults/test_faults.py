"""Each fault once, by real processes; `python -m tests.faults --repeats 20` is the long form."""

from __future__ import annotations

import os
from pathlib import Path
from random import Random

import pytest

from tests.faults.faults import FAULTS, NEEDS_MOUNT
from tests.faults.scene import Scene

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return Scene(tmp_path_factory.mktemp("scene"))


# Memory that ends takes a larger network and most of a minute; tests/training/test_memory.py feigns it.
@pytest.mark.parametrize("name", [name for name in FAULTS if name != "out_of_memory"])
def test_nothing_is_lost(scene: Scene, tmp_path: Path, name: str) -> None:
    if name in NEEDS_MOUNT and os.geteuid() != 0:
        pytest.skip("needs the rights to mount a small disk")
    FAULTS[name](scene, tmp_path / "run", Random(name))
