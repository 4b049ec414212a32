"""A refactor proves itself by unchanged losses and scores (`python -m tests.golden --write` records them)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.golden import CASES, RECORD, run
from tests.image_set import ImageSet


@pytest.mark.parametrize("case", CASES)
def test_losses_and_scores_have_not_moved(case: str, image_set: ImageSet, model_folder: Path, tmp_path: Path) -> None:
    golden = json.loads(RECORD.read_text())[case]
    got = run(case, model_folder, image_set, tmp_path)
    for name, values in golden["losses"].items():
        assert got["losses"][name] == pytest.approx(values, rel=2e-3, abs=1e-4), name
    assert got["miou"] == pytest.approx(golden["miou"], abs=0.01)
