from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

from studies.arms import Bench
from studies.constraints import ARMS, ablate, main, table
from studies.domain import Domain
from wesam.training.config import make_config


def test_a_row_says_what_a_constraint_gains_over_the_source_model(bench: Bench) -> None:
    domain = Domain("blobs", bench.pack.images.parent)
    arms = [ARMS["1 point"][1], ARMS["mask"][1]]
    rows = ablate(domain, bench, arms, [0, 1])
    assert [(row["arm"], row["seed"], row["prompt"]) for row in rows] == [
        (arm, seed, prompt)
        for arm in ("1 point with point loss", "mask without projection")
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


def test_table_has_a_column_for_each_domain_and_what_a_change_adds() -> None:
    def row(arm: str, domain: str, seed: int, gain: float, prompt: str = "box") -> dict[str, object]:
        return {"arm": arm, "domain": domain, "seed": seed, "prompt": prompt, "gain": gain}

    rows = [
        row("box", "one", 0, 1.0),
        row("box", "one", 1, 2.0),
        row("box", "two", 0, -0.5),
        row("box", "three", 0, 0.25),
        row("box without projection", "one", 1, 1.5),
        row("box without projection", "two", 0, 0.0),
        row("box without projection", "two", 1, 7.0),
        row("box without projection", "three", 0, 0.254),
        row("mask with clip", "two", 0, 0.25),
        row("mask with clip", "two", 0, 9.0, "point"),
    ]
    assert table(rows, "box").splitlines() == [
        "| labels, change | one | two | three | mean change |",
        "| --- | ---: | ---: | ---: | ---: |",
        "| box | +1.50 ± 0.71 | -0.50 | +0.25 |  |",
        "| box without projection | +1.50 | +3.50 ± 4.95 | +0.25 | +0.00 (1 of 3 up) |",
        "| mask with clip |  | +0.25 |  |  |",
    ]


def test_an_unknown_label_is_refused() -> None:
    app = typer.Typer()
    app.command()(main)
    found = CliRunner().invoke(app, ["--model", "m", "--out", "o", "--domain", "a: b", "--label", "circle"])
    assert found.exit_code == 2
    assert "circle" in found.output
