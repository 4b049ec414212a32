"""The study on a tiny model: what it records, and that it goes on where it was stopped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from studies import stability
from studies.arms import Arm
from studies.domain import Domain
from studies.pack import Pack
from studies.stability import Study
from wesam.errors import WesamError
from wesam.evaluation.evaluate import evaluate
from wesam.labels.check import load_samples
from wesam.updates.load import load_segmenter


def test_lengths_must_be_measured() -> None:
    with pytest.raises(WesamError, match=r"multiples of --every 2, got \[3\]"):
        Study("m", Path("o"), (2, 3), every=2)


def test_a_study_records_goes_on_and_is_reported(
    pack_folder: Path, model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "study"
    settings = ("device=cpu", "learning_rate=1e-2")
    study = Study(str(model_folder), out, (2, 4), every=2, settings=settings, test_images=2)
    domain, arm = Domain("blobs", pack_folder), Arm("shared teacher", ("objective.teacher=shared",))
    path = study.record(domain, "point", 1, arm)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(row["step"], row["made"]) for row in rows[:3]] == [(0, ""), (2, ""), (4, "")]
    assert {(row["step"], row["made"]) for row in rows[3:]} == {
        (step, made) for step in (2, 4) for made in ("mean", "scale 0.25", "scale 0.5", "scale 0.75")
    }
    tests, _ = load_samples(pack_folder / "images", pack_folder / "instances_test.json")
    source = evaluate(load_segmenter(model_folder), [tests[0], tests[3]], prompt="point", seed=0, trivial=False)
    assert rows[0]["miou"] == pytest.approx(100 * source.methods["source"].miou)
    # The mean of one point is that point: the study's probe is the run's.
    first = next(row for row in rows if (row["step"], row["made"]) == (2, "mean"))
    assert first["signals"] == pytest.approx(rows[1]["signals"])
    assert first["miou"] == pytest.approx(rows[1]["miou"])

    # Stopped in the middle of scoring, it scores the rest, and runs nothing again.
    path.write_text("".join(json.dumps(row) + "\n" for row in rows[:4]))
    monkeypatch.setattr(stability, "adapt_run", None)
    study.record(domain, "point", 1, arm)
    assert [json.loads(line) for line in path.read_text().splitlines()] == rows

    # Outlines are simulated once; a run given masks as labels would prompt with them as they are.
    labels = study._config(domain, Pack.at(pack_folder), "mask", 1, arm, out / "run").labels
    assert labels is not None
    simulated, _ = load_samples(pack_folder / "images", labels)
    truth, _ = load_samples(pack_folder / "images", pack_folder / "instances_train.json")
    assert simulated[0].instances[0].rle != truth[0].instances[0].rle

    result = CliRunner().invoke(stability.app, ["report", str(out)], catch_exceptions=False)
    assert "1 runs that were scored at 4 steps, of 1; arms: shared teacher" in result.output
    assert "| last |" in result.output
    with pytest.raises(WesamError, match="rows of this model, pack and number of test images"):
        Study(str(model_folder), out, (2, 4), 2, settings, test_images=3).record(domain, "point", 1, arm)
    # One that has just begun is passed over, and a study of nothing else says so.
    begun = path.parent.with_name("seed-2") / path.name
    begun.parent.mkdir()
    begun.write_text("".join(json.dumps({**row, "seed": 2}) + "\n" for row in rows[:2]))
    assert "of 2; arms" in CliRunner().invoke(stability.app, ["report", str(out)], catch_exceptions=False).output
    path.unlink()
    with pytest.raises(WesamError, match="scored at the same length, got none"):
        CliRunner().invoke(stability.app, ["report", str(out)], catch_exceptions=False)
    with pytest.raises(WesamError, match="seed was|learning_rate was"):
        Study(str(model_folder), out, (2, 4), 2, (*settings, "learning_rate=1e-3"), 2).record(domain, "point", 1, arm)
