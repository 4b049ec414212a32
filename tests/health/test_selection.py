"""Each rule on histories whose right choice is plain."""

from __future__ import annotations

import math

import pytest

from wesam.health.selection import LAST_STEP, RULE_SIGNALS, Candidate, SelectionSettings, choose, stalled
from wesam.health.signals import SIGNAL_NAMES


def history(*values: float, anchor: tuple[float, ...] = ()) -> list[Candidate]:
    """Candidates every 10 steps at which all signals that rules look at are as given; others stay as they were."""
    candidates = []
    for index, value in enumerate(values):
        signals = {**dict.fromkeys(SIGNAL_NAMES, 0.5), "anchor_agreement": 1.0, **dict.fromkeys(RULE_SIGNALS, value)}
        if index < len(anchor):
            signals["anchor_agreement"] = anchor[index]
        candidates.append(Candidate(f"step {10 * index}", 10 * index, signals))
    return candidates


def settings(**changes: object) -> SelectionSettings:
    # Not the defaults: histories differ by whole tenths, so that a reader sees what a rule must do.
    return SelectionSettings.model_validate({"least_anchor_agreement": 0.8, **changes})


@pytest.mark.parametrize(
    ("flip", "anchor", "changes", "index"),
    [
        ((0.5, 0.9, 0.1), (), {"rule": "last"}, 2),
        ((0.5, 0.6, 0.7, 0.6), (), {"rule": "best"}, 2),
        ((0.5, 0.6, 0.6), (), {"rule": "best"}, 1),  # of equals the earlier: it is nearer to the source
        ((0.5, 0.4, 0.5), (), {"rule": "best"}, 0),
        ((0.5, math.nan, 0.6), (), {"rule": "best"}, 2),
        ((0.5, math.nan), (), {"rule": "best"}, 0),
        ((0.5, 0.6, 0.9), (1, 0.9, 0.3), {"rule": "best-healthy"}, 1),
        ((0.5, 0.6, 0.9), (1, 0.3, 0.3), {"rule": "best-healthy"}, 0),
        ((0.5, 0.49, 0.46, 0.44), (), {"rule": "last-healthy"}, 2),
        ((0.5, 0.6, math.nan), (), {"rule": "last-healthy"}, 1),
        ((0.5, 0.3, 0.2), (), {"rule": "last-healthy"}, 0),
        ((0.5,), (), {"rule": "last-healthy"}, 0),
        ((0.5,), (), {"rule": "best-healthy"}, 0),
    ],
)
def test_rules(flip, anchor, changes, index) -> None:
    assert choose(history(*flip, anchor=anchor), settings(**changes)).index == index


def test_not_to_adapt_is_said_in_so_many_words() -> None:
    found = choose(history(0.5, 0.4), settings(rule="best"))
    assert found.source
    assert "Do not adapt: no candidate raised the mean of the signals of health above the source" in found.reason
    assert "; the best, step 10, changed it by -0.1000. The adapter changes nothing" in found.reason
    ill = choose(history(0.5, 0.4), settings(rule="last-healthy"))
    assert "the last one's flip_agreement 0.400 (source model 0.500)" in ill.reason


def test_reasons_name_the_candidate_and_the_gain() -> None:
    found = choose(history(0.5, 0.75, 0.6), settings(rule="best"))
    assert "Chosen: step 10, where the mean of the signals of health stood +0.2500 above" in found.reason
    assert "the most of 2 candidates" in found.reason
    assert choose(history(0.5, 0.75), settings(rule="last")).reason == LAST_STEP


def test_the_mean_of_several_signals_counts() -> None:
    candidates = history(0.5, 0.6)
    candidates[1].signals["stability"] = 0.0  # 0.5 worse, while the six others are 0.1 better
    assert choose(candidates, settings(rule="best")).index == 1
    assert choose(candidates, settings(rule="best-healthy")).index == 0
    candidates[1].signals["predicted_iou"] = 0.0
    assert choose(candidates, settings(rule="best")).index == 0


@pytest.mark.parametrize(("change", "handed"), [(1e-6, "Step 10 is handed over"), (-1e-6, "The source model is kept")])
def test_a_run_too_short_to_change_anything_says_so(change: float, handed: str) -> None:
    for rule in ("best", "best-healthy"):
        found = choose(history(0.5, 0.5 + change), settings(rule=rule))
        assert found.reason.startswith("Too short a run to choose from: after 10 steps no signal of health")
        assert handed in found.reason
        assert found.source is (change < 0)


def test_masks_that_leave_their_labels_are_not_chosen_however_sure() -> None:
    candidates = history(0.5, 0.6, 0.9)
    candidates[1].signals["label_agreement"] = 0.495
    candidates[2].signals["label_agreement"] = 0.48  # was 0.5
    found = choose(candidates, settings(rule="best-healthy"))
    assert found.index == 1
    assert choose(candidates, settings(rule="best")).index == 2


def test_patience_counts_measurements_without_a_new_choice() -> None:
    patient = settings(rule="best", patience=2)
    assert not stalled(history(0.5, 0.6, 0.5), patient)
    assert stalled(history(0.5, 0.6, 0.5, 0.5), patient)
    assert stalled(history(0.5, 0.4, 0.3), patient)  # the source model stays the choice
    assert not stalled(history(0.5, 0.4, 0.3, 0.2), settings(rule="best"))


def test_the_source_model_comes_first() -> None:
    with pytest.raises(ValueError, match="source model as the first"):
        choose(history(0.5, 0.6)[1:], settings())


def test_a_rule_that_is_left_open_chooses_nothing() -> None:
    with pytest.raises(ValueError, match="expected a rule"):
        choose(history(0.5, 0.6), SelectionSettings())
