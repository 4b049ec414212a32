from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

from wesam.experiments.arms import Bench
from wesam.experiments.constraints import ARMS, ablate, main, table
from wesam.experiments.domain import Domain
from wesam.training.config import make_config


def test_a_row_says_what_a_constraint_gains_over_the_source_model(bench: Bench) -> None:
    domain = Domain("blobs", bench.pack.images.parent)
    arms = [ARMS["1 point"][1], ARMS["mask"][3]]
    rows = ablate(domain, bench, arms, [0, 1])
    assert [(row["arm"], row["seed"], row["prompt"]) for row in rows] == [
        (arm, seed, prompt)
        for arm in ("1 point with point loss", "mask with coarse loss")
        for seed in (0, 1)
        for prompt in ("box", "point")
    ]
    source = {row["prompt"]: row["miou"] for row in bench.source(["box", "point"]) if row["arm"] == "source"}
    assert [row["gain"] for row in rows] == pytest.approx([row["miou"] - source[row["prompt"]] for row in rows])
    assert {row["domain"] for row in rows} == {"blobs"}


def test_every_change_is_a_setting_and_is_not_the_default() -> None:
    given = {"model": "m", "images": "i", "out": "o"}
    default = make_config(given)
    for arm in (arm for arms in ARMS.values() for arm in arms[1:]):
        assert make_config(given, overrides=[arm.settings[-1]]) != default, arm.name


def test_table_has_a_column_for_each_domain_and_their_mean() -> None:
    rows = [
        {"arm": "box", "domain": "one", "prompt": "box", "gain": 1.0},
        {"arm": "box", "domain": "one", "prompt": "box", "gain": 2.0},
        {"arm": "box", "domain": "two", "prompt": "box", "gain": -0.5},
        {"arm": "mask", "domain": "two", "prompt": "box", "gain": 0.25},
        {"arm": "mask", "domain": "two", "prompt": "point", "gain": 9.0},
    ]
    assert table(rows, "box").splitlines() == [
        "| labels, change | one | two | all |",
        "| --- | ---: | ---: | ---: |",
        "| box | +1.50 ± 0.71 | -0.50 | +0.50 |",
        "| mask |  | +0.25 | +0.25 |",
    ]


def test_an_unknown_label_is_refused() -> None:
    app = typer.Typer()
    app.command()(main)
    found = CliRunner().invoke(app, ["--model", "m", "--out", "o", "--domain", "a: b", "--label", "circle"])
    assert found.exit_code == 2
    assert "circle" in found.output
