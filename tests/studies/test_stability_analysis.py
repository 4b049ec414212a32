"""The analysis on rows whose answer is known."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from studies.stability_analysis import (
    MEAN,
    Point,
    Run,
    domain_table,
    leave_one_domain_out,
    outcome,
    outcomes,
    preference,
    preferred,
    read_runs,
    report,
    scale_name,
    spearman,
)
from studies.stability_rules import SCALES, rules
from wesam.errors import WesamError
from wesam.health.selection import SelectionSettings
from wesam.health.signals import SIGNAL_NAMES, SignalName

LAST = SelectionSettings(rule="last")


def best(signal: SignalName, **changes: object) -> SelectionSettings:
    return SelectionSettings.model_validate({"rule": "best", "signals": [signal], **changes})


def point(step: int, miou: float, made: str = "", **signals: float) -> Point:
    values = {**dict.fromkeys(SIGNAL_NAMES, 0.5), "anchor_agreement": 1.0, **signals}
    return Point(step, made, values, miou)


def run(domain: str = "cells", seed: int = 0, good: SignalName = "flip_agreement") -> Run:
    """Rises to 74 at step 20, falls to 66; `good` follows it, stability is its contrary."""
    truth = (70.0, 72.0, 74.0, 66.0)
    points = tuple(
        point(10 * place, miou, **{good: miou / 100, "stability": 1 - miou / 100}) for place, miou in enumerate(truth)
    )
    made = {
        30: (
            point(30, 71.0, MEAN),
            *(point(30, 70.5 + scale, scale_name(scale), **{good: 0.9}) for scale in SCALES),
        ),
        10: (point(10, 71.5, MEAN), *(point(10, 71.0, scale_name(scale)) for scale in SCALES)),
    }
    return Run(domain, "box", seed, "default", points, made)


@pytest.mark.parametrize(
    ("settings", "length", "chosen", "last", "oracle", "adapted"),
    [
        (LAST, 30, 66, 66, 74, True),
        (LAST, 10, 72, 72, 72, True),
        (best("flip_agreement"), 30, 74, 66, 74, True),
        (best("stability"), 10, 70, 72, 72, False),
        (SelectionSettings(rule="last", average_last=5), 30, 71, 66, 74, True),
        (best("flip_agreement", scales=SCALES), 30, 70.75, 66, 74, True),
    ],
)
def test_a_rule_is_judged_at_any_length(settings, length, chosen, last, oracle, adapted) -> None:
    found = outcome(run(), length, settings)
    assert (found.chosen, found.direct, found.last, found.oracle, found.adapted) == (chosen, 70, last, oracle, adapted)
    assert (found.regret, found.gain) == (oracle - chosen, chosen - 70)


def test_a_length_without_its_made_points_is_refused() -> None:
    with pytest.raises(WesamError, match="expected the points mean of step 20.*is 20 one of its lengths"):
        outcome(run(), 20, SelectionSettings(rule="last", average_last=5))


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([1, 2, 3], [10, 20, 90], 1),
        ([1, 2, 3], [9, 5, 1], -1),
        ([1, 1, 2, 3], [1, 2, 2, 3], 0.8333333),  # by hand, ties share their mean rank
    ],
)
def test_spearman(first, second, expected) -> None:
    assert spearman(first, second) == pytest.approx(expected)


def test_spearman_of_a_constant_is_unknown() -> None:
    assert math.isnan(spearman([1, 1, 1], [1, 2, 3]))


def test_safety_comes_before_regret() -> None:
    candidates = {"last": LAST, "never": best("anchor_agreement"), "good": best("flip_agreement")}
    assert preferred([run()], [10, 30], candidates) == "good"
    del candidates["good"]
    assert preferred([run()], [10, 30], candidates) == "never"  # last falls 4 below the source model
    assert preference(outcomes([run()], [30], LAST)) == (3.5, 8)


def test_the_domain_left_out_is_judged_by_the_rule_of_the_others() -> None:
    runs = [run("cells"), run("robots"), run("camouflage", good="point_agreement")]
    choices = {"flip": best("flip_agreement"), "point": best("point_agreement"), "last": LAST}
    rows = leave_one_domain_out(runs, [30], choices).splitlines()
    # For each: runs, Direct, chosen - Direct.
    assert rows[2].startswith("| cells: flip | 1 | 70.00 | +4.00 |")
    assert rows[4].startswith("| camouflage: flip | 1 | 70.00 | +0.00 |")
    assert rows[5].startswith("| all | 3 | 70.00 | +2.67 |")


def test_rows_on_disk_become_the_whole_report(tmp_path: Path) -> None:
    for domain in ("cells", "robots"):
        folder = tmp_path / domain
        folder.mkdir()
        made = run(domain)
        points = [*made.points, *(extra for extras in made.made.values() for extra in extras)]
        rows = [
            {"domain": domain, "prompt": "box", "seed": 0, "arm": "default", "step": p.step, "made": p.made}
            | {"signals": p.signals, "miou": p.miou}
            for p in points
        ]
        (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in reversed(rows)))
    runs = read_runs(tmp_path)
    assert [found.points for found in runs] == [run().points] * 2
    text = report(runs, [10, 30], rules())
    assert "| flip_agreement | +1.00 | +1.00 | +1.00 | 2 of 2 |" in text
    assert "| stability | -1.00 | -1.00 | -1.00 | 0 of 2 |" in text
    assert "| last | 4 | 70.00 | -1.00 | -4.00 | 2 of 4 | 5.00" not in text  # oracle of 10 steps is its last one
    assert "| last | 4 | 70.00 | -1.00 | -4.00 | 2 of 4 | 4.00 | +0.00 | 0 of 4 |" in text
    # No agreement between prompts changes in these runs, so that the default finds nothing better than the source.
    assert "| cells, box | 1 | 70.0 | +4.00 | -4.00 | +0.00 |" in text
    with pytest.raises(WesamError, match=r"expected some of \[10, 30\], as recorded, got \[600\]"):
        report(runs, [600], rules())


def test_runs_that_are_not_scored_to_the_end_wait() -> None:
    whole, half = run("cells"), replace(run("robots"), made={30: run().made[30][:2], 10: run().made[10]})
    text = report([whole, half], [10, 30], rules())
    assert "1 runs that were scored at 30 steps, of 2" in text
    assert "robots" not in text


def test_seeds_of_a_domain_share_a_line() -> None:
    text = domain_table([run(seed=0), run(seed=1), replace(run(), arm="slow")], 30)
    assert text.splitlines()[2:] == [
        "| cells, box | 2 | 70.0 | +4.00 ± 0.00 | -4.00 ± 0.00 | +0.00 ± 0.00 |",
        "| cells, box, slow | 1 | 70.0 | +4.00 | -4.00 | +0.00 |",
    ]


def test_damaged_rows_are_named(tmp_path: Path) -> None:
    with pytest.raises(WesamError, match="found none"):
        read_runs(tmp_path)
    (tmp_path / "rows.jsonl").write_text('{"domain": "x"}\n')
    with pytest.raises(WesamError, match="line 1: expected a row"):
        read_runs(tmp_path)
