"""The one dial: what it sets, and what wins over it."""

from __future__ import annotations

from pathlib import Path

import pytest

from wesam.errors import WesamError
from wesam.training.config import RunConfig, make_config
from wesam.training.effort import EFFORTS

BASE = {"model": "wesam-tiny", "images": "images", "labels": "labels.json", "out": "run"}


def test_a_higher_effort_takes_more_steps_and_has_more_to_choose_from() -> None:
    runs = [make_config({**BASE, "effort": effort}) for effort in EFFORTS]
    steps = [run.steps for run in runs]
    assert steps == sorted(set(steps))
    candidates = [run.steps // run.health.every for run in runs]
    assert candidates == sorted(set(candidates))
    assert min(candidates) >= 2
    assert [run.method.anchor_views for run in runs] == ["strong", "both", "both"]


def test_normal_is_the_default() -> None:
    assert make_config(BASE) == make_config({**BASE, "effort": "normal"})


def test_whatever_is_set_by_itself_wins(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("effort: thorough\nhealth: {every: 100}\n")
    assert (make_config(BASE, file=file).steps, make_config(BASE, file=file).health.every) == (1000, 100)
    assert make_config({**BASE, "effort": "quick"}, file=file).steps == 100
    assert make_config(BASE, file=file, overrides=["effort=quick", "steps=7"]).steps == 7
    assert make_config({**BASE, "effort": "quick"}, preset="paper").effective_warmup_steps == 25


def test_it_fits_any_method_and_is_no_setting() -> None:
    config = make_config({**BASE, "effort": "quick"}, overrides=["method=tent"])
    assert (config.steps, config.method.name) == (100, "tent")
    assert "effort" not in RunConfig.model_fields


@pytest.mark.parametrize("wrong", ["quik", "[quick]", "3"])
def test_another_word_is_refused(wrong: str) -> None:
    with pytest.raises(WesamError, match="^effort: expected one of quick, normal, thorough, got"):
        make_config(BASE, overrides=[f"effort={wrong}"])
