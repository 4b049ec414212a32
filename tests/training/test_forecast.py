"""What a run says that it will cost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ImageSet
from tests.training.setting import SmallRun
from wesam.training.forecast import Forecast, in_words


def told(seconds_a_step: float, steps: int, measurements: int = 0, measuring: float = 0.0) -> list[str]:
    """With a first step of a minute, which sets up, and measurements among the steps that are counted."""
    said: list[str] = []
    times: Iterator[float] = iter(
        [60 + number * seconds_a_step + (measuring if number > 1 else 0) for number in range(steps)]
    )
    forecast = Forecast(said.append, steps, measurements, "2 cores", clock=lambda: next(times))
    if measurements:
        forecast.measured(measuring)
    for number in range(steps):
        if number == 2 and measurements:
            forecast.measured(measuring)
        forecast.stepped()
    return said


@pytest.mark.parametrize(
    ("step", "steps", "measurements", "measuring", "words"),
    [
        (1.2, 300, 0, 0.0, "about 6 minutes for 300 steps on 2 cores"),
        (1.2, 300, 6, 30.0, "about 9 minutes for 300 steps on 2 cores"),
        (0.1, 300, 0, 0.0, "about 30 seconds for 300 steps on 2 cores"),
        (20.0, 1000, 0, 0.0, "about 5.6 hours for 1000 steps on 2 cores"),
    ],
)
def test_it_is_the_time_of_steps_and_measurements(
    step: float, steps: int, measurements: int, measuring: float, words: str
) -> None:
    assert told(step, steps, measurements, measuring) == [words]


def test_a_few_short_steps_need_no_forecast() -> None:
    assert told(0.1, 5) == []
    assert len(told(11.0, 5)) == 1  # slow ones are told after the second


@pytest.mark.parametrize(
    ("seconds", "words"), [(2, "10 seconds"), (89, "90 seconds"), (120, "2 minutes"), (9000, "2.5 hours")]
)
def test_times_are_said_as_people_do(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


def test_a_run_says_once_what_it_costs(image_set: ImageSet, tmp_path: Path) -> None:
    run = SmallRun(image_set, tmp_path, {"steps": 13, "batch_size": 1, "health": {"every": 0}, "checkpoint_every": 50})
    run.train()
    assert [message.partition(" on ")[0] for message in run.messages] == ["about 10 seconds for 13 steps"]
