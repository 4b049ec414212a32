from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from studies.arms import Arm, Bench
from tests.tiny import tiny_sam
from wesam.errors import WesamError
from wesam.labels.check import load_samples


def test_arms_name_what_they_change() -> None:
    assert Arm.parse("no anchor: method.anchor_weight=0 steps=3") == Arm(
        "no anchor", ("method.anchor_weight=0", "steps=3")
    )
    assert Arm.parse("wesam") == Arm("wesam", ())
    assert Arm.parse("supervised, long: steps=9").supervised


def test_simulated_labels_are_written_once_and_adapted_from(bench: Bench) -> None:
    bench = replace(bench, settings=(*bench.settings, "simulate.missing=0.3"))
    arm = Arm.parse("one click: simulate.kind=point simulate.positives=1 simulate.negatives=0")
    rows = bench.adapted(arm, 0, ["box"])
    assert [(row["arm"], row["seed"], row["prompt"]) for row in rows] == [("one click", 0, "box")]
    (labels,) = (bench.out / "labels").iterdir()
    samples, report = load_samples(bench.pack.images, labels)
    assert not report.skipped
    clicks = [instance.points for sample in samples for instance in sample.instances]
    assert 0 < len(clicks) < 15
    assert all(len(points) == 1 and points[0][2] == 1 for points in clicks)
    config = (bench.out / "one-click" / "seed-0" / "config.yaml").read_text()
    assert str(labels) in config
    # Another arm of the same labels, later, reads the same file.
    labels.touch()
    before = labels.stat().st_mtime_ns
    bench.adapted(replace(arm, name="again"), 0, ["box"])
    assert labels.stat().st_mtime_ns == before


def test_a_prompt_asked_for_later_is_added_to_the_scores(bench: Bench) -> None:
    bench.source(["box"])
    path = bench.out / "source.json"
    kept = json.loads(path.read_text())
    path.write_text(json.dumps({**kept, "rows": [{**row, "miou": 1.0} for row in kept["rows"]]}))
    rows = bench.source(["mask", "box"])
    assert {row["miou"] for row in rows if row["prompt"] == "box"} == {1.0}
    assert [row["arm"] for row in rows if row["prompt"] == "mask"] == ["source"]
    assert {row["prompt"] for row in bench.source(["mask"])} == {"mask"}


@pytest.mark.parametrize("change", ["model", "masks", "tile"])
def test_scores_of_another_model_or_pack_are_not_taken_for_these(bench: Bench, change: str, tmp_path: Path) -> None:
    bench.source(["box"])
    assert replace(bench).source(["box"])
    if change == "model":
        tiny_sam(seed=1).save_pretrained(tmp_path / "another")
        bench = replace(bench, model=str(tmp_path / "another"))
    elif change == "masks":
        masks = json.loads(bench.pack.test_masks.read_text())
        bench.pack.test_masks.write_text(json.dumps({**masks, "annotations": masks["annotations"][1:]}))
        bench = replace(bench)
    else:
        bench = replace(bench, tile=32)
    with pytest.raises(WesamError, match=r"source\.json: expected scores of .*, got those of another model"):
        bench.source(["box"])


def test_a_finished_run_of_other_settings_is_not_taken_for_this_one(bench: Bench) -> None:
    bench.adapted(Arm("wesam"), 0, ["box"])
    with pytest.raises(WesamError, match="learning_rate was 0.0001, now 0.5"):
        bench.adapted(Arm("wesam", ("learning_rate=0.5",)), 0, ["box"])


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("simulate.kind=brush", "simulate: kind"),
        ("simulate.jitter=1", "simulate: jitter: unknown setting"),
        ("simulate.wrong", "simulate: wrong"),
    ],
)
def test_a_simulation_that_cannot_be_is_named(bench: Bench, setting: str, message: str) -> None:
    with pytest.raises(WesamError, match=message):
        bench.adapted(Arm("wrong", (setting,)), 0, ["box"])
