from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from wesam.errors import WesamError
from wesam.training.sample_record import keep_same_samples
from wesam.types import Instance, Sample

SAMPLES = [Sample(f"{n}.png", Path(f"{n}.png"), 64, 48, (Instance("1", box=(1, 2, 3, 4)),)) for n in range(3)]


def test_the_same_samples_pass_wherever_they_lie_now(tmp_path: Path) -> None:
    keep_same_samples(tmp_path / "samples.json", SAMPLES)
    keep_same_samples(tmp_path / "samples.json", [replace(sample, path=Path("moved")) for sample in SAMPLES])


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (SAMPLES[1:], "got 0.png missing or unreadable"),
        (SAMPLES[2:], r"got 0.png missing or unreadable \(2 so\)"),
        ([*SAMPLES, replace(SAMPLES[0], id="9.png")], "got 9.png new"),
        ([*SAMPLES[:2], replace(SAMPLES[2], width=65)], "got 2.png of another size or labelled otherwise"),
        ([*SAMPLES[:2], SAMPLES[2].with_instances([Instance("1", box=(1, 2, 3, 5))])], "got 2.png of another size or"),
    ],
)
def test_every_difference_is_named(tmp_path: Path, samples: list[Sample], message: str) -> None:
    keep_same_samples(tmp_path / "samples.json", SAMPLES)
    with pytest.raises(WesamError, match=message):
        keep_same_samples(tmp_path / "samples.json", samples)


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "samples.json").write_text("{")
    with pytest.raises(WesamError, match="samples.json: expected the record"):
        keep_same_samples(tmp_path / "samples.json", SAMPLES)
