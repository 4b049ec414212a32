from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from studies.arms import Bench
from studies.pack import Pack
from tests.conftest import ImageSet

SHORT = ("steps=2", "warmup_steps=1", "device=cpu")


@pytest.fixture
def pack_folder(image_set: ImageSet, tmp_path: Path) -> Path:
    folder = tmp_path / "pack"
    shutil.copytree(image_set.images, folder / "images")
    shutil.copy(image_set.boxes, folder / "weak_train.json")
    for name in ("instances_train.json", "instances_test.json"):
        shutil.copy(image_set.masks, folder / name)
    return folder


@pytest.fixture
def bench(pack_folder: Path, model_folder: Path, tmp_path: Path) -> Bench:
    """Runs of two steps."""
    return Bench(str(model_folder), Pack.at(pack_folder), tmp_path / "out", SHORT)
