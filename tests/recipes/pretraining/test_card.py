"""The card's command, on a tiny model."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from recipes.pretraining import card
from tests.tiny import tiny_sam


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    tiny_sam(seed=0).save_pretrained(folder)
    return folder


def rows(capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in capsys.readouterr().out.splitlines()]


def test_the_shift_is_printed_beside_the_source_at_equal_sizes(
    model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("imagecorruptions", reason="of the bench extra")
    monkeypatch.setattr(card, "_SOURCE_SCENES", 2)
    monkeypatch.setattr(
        sys,
        "argv",
        ["card", str(model), "--shift", "--count", "2", "--family", "source", "smear", "--corruption", "fog"],
    )
    card.main()
    head, _, *found = rows(capsys)
    assert [row[0] for row in found] == ["source scenes", "smear scenes", "fog 1", "fog 5"]
    assert all(len(row) == len(head) == 7 for row in found)
    assert (found[0][3], found[0][6]) == ("+0.0", "+0.0")  # the source at its own sizes
    for row in found[1:]:
        assert float(row[3]) == pytest.approx(float(row[1]) - float(row[2]), abs=0.11)
