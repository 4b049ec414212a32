from __future__ import annotations

import json
from pathlib import Path

import typer
from typer.testing import CliRunner

from studies.arms import Arm, Bench
from studies.compare import compare, main, table
from tests.studies.conftest import SHORT
from wesam.training.config import read_yaml


def test_every_arm_and_seed_is_scored_once(bench: Bench) -> None:
    arms = [Arm("wesam"), Arm("supervised")]
    rows = compare(bench, arms, seeds=[0, 1])
    assert {(row["arm"], row.get("seed"), row["prompt"]) for row in rows} == {
        *(("source", None, prompt) for prompt in ("box", "point")),
        *((trivial, None, "box") for trivial in ("box", "ellipse", "grabcut")),
        *((arm, seed, prompt) for arm in ("wesam", "supervised") for seed in (0, 1) for prompt in ("box", "point")),
    }
    # A second call takes every finished run from disk.
    scores = bench.out / "wesam" / "seed-0" / "scores.json"
    kept = json.loads(scores.read_text())
    scores.write_text(json.dumps({**kept, "rows": [{**row, "miou": 12.0} for row in kept["rows"]]}))
    again = compare(bench, arms, seeds=[0, 1])
    assert [row["miou"] for row in again if row["arm"] == "wesam" and row["seed"] == 0] == [12.0, 12.0]


def test_table_gives_mean_and_spread_over_seeds() -> None:
    rows = [
        {"arm": "source", "prompt": "box", "miou": 50.0},
        {"arm": "wesam", "prompt": "box", "miou": 60.0, "seed": 0},
        {"arm": "wesam", "prompt": "box", "miou": 62.0, "seed": 1},
    ]
    assert table(rows).splitlines()[2:] == ["| source | 50.0 |  |  |", "| wesam | 61.0 ± 1.4 |  | 2 |"]


def test_each_domain_has_a_table_and_a_folder_of_its_own(pack_folder: Path, model_folder: Path, tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(main)
    domains = ["--domain", f"plain: {pack_folder}", "--domain", f"in tiles: {pack_folder} tile=80"]
    settings = [part for setting in SHORT for part in ("--set", setting)]
    out = tmp_path / "runs"
    arguments = ["--model", str(model_folder), "--out", str(out), *domains, "--arm", "wesam", "--seed", "0", *settings]
    found = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert found.exit_code == 0
    assert found.output.count("| source |") == found.output.count("| wesam |") == 2
    assert found.output.index("plain:") < found.output.index("in tiles:")
    tiles = [
        read_yaml(out / name / "wesam" / "seed-0" / "config.yaml")["views"]["tile"] for name in ("plain", "in-tiles")
    ]
    assert tiles == [None, 80]
