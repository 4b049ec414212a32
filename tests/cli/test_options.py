"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import wesam
from tests.conftest import ImageSet


@pytest.mark.parametrize("command", ["predict", "evaluate", "prompts"])
@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        (("--overlap", 8), 2, "needs --tile"),
        (("--overlap", -8, "--tile", 32), 2, "--overlap"),
        (("--tile", 0), 2, "--tile"),
        (("--tile", 32), 1, "overlap: expected 0 <= overlap < tile = 32, got 64"),
    ],
)
def test_tiles_that_cannot_be_are_refused_before_any_work(
    command: str, given: tuple[object, ...], code: int, message: str, image_set: ImageSet, tmp_path: Path
) -> None:
    labels = () if command == "prompts" else ("--labels", image_set.masks)
    out = tmp_path / "out"
    result = wesam(command, "--model", "no/model", "--images", image_set.images, *labels, "--out", out, *given)
    assert result.exit_code == code
    assert message in result.output
    assert not out.exists()
