from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from wesam.errors import WesamError
from wesam.training.input_record import keep_same_inputs
from wesam.types import Instance, Sample

MODEL = b"weights"


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    for n in range(3):
        (tmp_path / f"{n}.png").write_bytes(bytes([n]))
    label = (Instance("1", box=(1, 2, 3, 4)),)
    return [Sample(f"{n}.png", tmp_path / f"{n}.png", 64, 48, label) for n in range(3)]


@pytest.fixture
def record(tmp_path: Path, samples: list[Sample]) -> Path:
    path = tmp_path / "inputs.json"
    keep_same_inputs(path, MODEL, samples)
    return path


def test_the_same_inputs_pass_wherever_they_lie_now(tmp_path: Path, record: Path, samples: list[Sample]) -> None:
    moved = tmp_path / "moved"
    moved.mkdir()
    for sample in samples:
        shutil.move(sample.path, moved)
    keep_same_inputs(record, MODEL, [replace(sample, path=moved / sample.id) for sample in samples])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a, b, c: [b, c], "got 0.png missing or unreadable"),
        (lambda a, b, c: [c], r"got 0.png missing or unreadable \(2 so\)"),
        (lambda a, b, c: [a, b, c, replace(a, id="9.png")], "got 9.png new"),
        (lambda a, b, c: [a, b, replace(c, width=65)], "got 2.png of another content or labelled otherwise"),
        (lambda a, b, c: [a, b, c.with_instances([Instance("1", box=(1, 2, 3, 5))])], "got 2.png of another content"),
        (lambda a, b, c: [a, b, replace(c, path=a.path)], "got 2.png of another content"),
    ],
)
def test_every_difference_is_named(
    record: Path, samples: list[Sample], change: Callable[..., list[Sample]], message: str
) -> None:
    with pytest.raises(WesamError, match=message):
        keep_same_inputs(record, MODEL, change(*samples))


def test_another_model_by_the_same_name_is_refused(record: Path, samples: list[Sample]) -> None:
    with pytest.raises(WesamError, match="expected the source model that this run began with"):
        keep_same_inputs(record, b"others", samples)


def test_an_image_that_went_away_is_named(tmp_path: Path, samples: list[Sample]) -> None:
    samples[1].path.unlink()
    with pytest.raises(WesamError, match="1.png: expected an image that can be read"):
        keep_same_inputs(tmp_path / "inputs.json", MODEL, samples)


@pytest.mark.parametrize("text", ["{", "[]", "{}"])
def test_a_damaged_record_is_named(tmp_path: Path, samples: list[Sample], text: str) -> None:
    (tmp_path / "inputs.json").write_text(text)
    with pytest.raises(WesamError, match="inputs.json: expected the record"):
        keep_same_inputs(tmp_path / "inputs.json", MODEL, samples)
