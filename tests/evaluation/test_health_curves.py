from pathlib import Path

import pytest

from tests.evaluation.test_scores import FULL_SMALL, HALF_SMALL, make_evaluation
from wesam.evaluation.health_curves import HEIGHT, WIDTH, health_curves
from wesam.evaluation.report import write_report
from wesam.health.selection import Candidate
from wesam.health.signals import SIGNAL_NAMES
from wesam.training.watch import Selection


def selection(chosen: int) -> Selection:
    values = (0.5, 0.9, 0.7, 0.95)
    names = ("the source model", "step 10", "step 20", "step 20, its update times 0.5")
    candidates = [
        Candidate(name, step, dict.fromkeys(SIGNAL_NAMES, value))
        for name, step, value in zip(names, (0, 10, 20, 20), values, strict=True)
    ]
    return Selection("best", "Because.", tuple(candidates), chosen, "4 images held back from training")


@pytest.mark.parametrize(("chosen", "value", "dot"), [(1, 0.9, (80.0, 3.0)), (3, 0.95, (157.0, 3.0))])
def test_a_curve_runs_through_the_steps_and_marks_the_choice(chosen, value, dot) -> None:
    curve = health_curves(selection(chosen))[0]
    assert (curve.source, curve.chosen, curve.last) == (0.5, value, 0.7)
    places = [tuple(map(float, point.split(","))) for point in curve.points.split()]
    assert [x for x, _ in places] == [3, 80, 157]
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in places)
    assert places[0][1] > places[2][1] > places[1][1]  # higher is further up
    assert curve.dot == dot


def test_a_flat_curve_and_a_run_without_signals_are_no_trouble() -> None:
    flat = [Candidate(f"step {step}", step, dict.fromkeys(SIGNAL_NAMES, 0.5)) for step in (0, 10)]
    assert len(health_curves(Selection("last", "", tuple(flat), 1))) == len(SIGNAL_NAMES)
    assert health_curves(Selection("last", "")) == []


def test_the_report_shows_signals_choice_and_reason(tmp_path: Path) -> None:
    evaluation = make_evaluation(box={"source": [[HALF_SMALL]], "adapted": [[FULL_SMALL]]})
    write_report(tmp_path / "with.html", evaluation, selection="x", settings={}, health=selection(1))
    write_report(tmp_path / "without.html", evaluation, selection="x", settings={})
    shown = (tmp_path / "with.html").read_text()
    assert "Measured on 4 images held back from training. The dot is what was chosen. Because." in " ".join(
        shown.split()
    )
    assert shown.count("<polyline") == len(SIGNAL_NAMES)
    assert "Health of the run" not in (tmp_path / "without.html").read_text()
