"""How far a command is, where there is no terminal."""

from __future__ import annotations

import pytest

from wesam.cli.progress import LINE_EVERY, Display, image_progress, loss_progress
from wesam.training.progress import Progress


def test_a_line_every_few_seconds_and_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    display = Display(None, clock=lambda: now)
    for done in range(101):
        display.update("images", done, 100)
        now += LINE_EVERY / 10
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "images 0/100"
    assert lines[1] == f"images 10/100, about {9 * LINE_EVERY:.0f} s left"
    assert lines[-1] == "images 100/100"
    assert len(lines) == 11


def test_the_time_that_is_left_counts_from_where_the_task_was_first_heard_of(
    capsys: pytest.CaptureFixture[str],
) -> None:
    times = iter([100.0, 100.0, 120.0])
    display = Display(None, clock=lambda: next(times))
    display.update("adapting", 10, 30)
    display.update("adapting", 20, 30)
    assert capsys.readouterr().err.splitlines()[1] == "adapting 20/30, about 20 s left"


def test_each_task_begins_with_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    display = Display(None, clock=lambda: 0.0)
    for task in ("adapting", "scoring"):
        for done in (1, 2):
            display.update(task, done, 9)
    assert [line.split(",")[0] for line in capsys.readouterr().err.splitlines()] == ["adapting 1/9", "scoring 1/9"]


def test_images_and_losses_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with image_progress(2) as advance:
        advance(None)
        advance(None)
    with loss_progress() as show:
        show(Progress(10, 20, {"total": 1.234, "anchor": 0.5, "other": 3.0}, 2.5, ("total", "anchor")))
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["images 1/2", "images 2/2"]
    assert lines[2].startswith("adapting, step 10/20, 2.5 images/s, total 1.23, anchor 0.50")
