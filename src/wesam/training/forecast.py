"""How long a run will take on this machine, from its first steps."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from accelerate import Accelerator

from wesam.training.config import RunConfig

# Steps that are counted, or seconds, if the steps are slow. The first step is not: it sets much up.
_STEPS, _SECONDS = 10, 10.0


class Forecast:
    """Tells once what a run will cost.

    Args:
        tell: told in words.
        steps: that are left.
        measurements: of health that are left.
        where: what the run computes on, such as "2 cores".
        clock: seconds, from any beginning.
    """

    def __init__(
        self,
        tell: Callable[[str], None],
        steps: int,
        measurements: int,
        where: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tell = tell
        self._steps = steps
        self._measurements = measurements
        self._where = where
        self._clock = clock
        self._taken = 0
        self._began: float | None = None
        self._measuring = 0.0
        self._told = False

    def measured(self, seconds: float) -> None:
        """One measurement took so long."""
        self._measuring = max(self._measuring, seconds)
        if self._began is not None:
            self._began += seconds

    def stepped(self) -> None:
        """One more step is done."""
        if self._told:
            return
        now = self._clock()
        if self._began is None:
            self._began = now
            return
        self._taken += 1
        elapsed = now - self._began
        if self._taken >= _STEPS or elapsed >= _SECONDS:
            total = elapsed / self._taken * self._steps + self._measuring * self._measurements
            self._tell(f"about {in_words(total)} for {self._steps} steps on {self._where}")
            self._told = True


def forecast_of(config: RunConfig, accelerator: Accelerator, step: int, tell: Callable[[str], None]) -> Forecast:
    """That of a run that has done so many steps."""
    every = config.health.every
    measurements = -(-config.steps // every) - step // every if every else 0
    return Forecast(tell, config.steps - step, measurements, _place(accelerator))


def _place(accelerator: Accelerator) -> str:
    """What a run computes on, in words."""
    if accelerator.device.type == "cuda":
        where = torch.cuda.get_device_name(accelerator.device)
    elif accelerator.device.type == "cpu":
        cores = torch.get_num_threads() * accelerator.num_processes
        return f"{cores} core{'s' if cores > 1 else ''}"
    else:
        where = accelerator.device.type
    return where if accelerator.num_processes == 1 else f"{accelerator.num_processes} x {where}"


def in_words(seconds: float) -> str:
    """A time as people say it: "40 seconds", "6 minutes", "2.5 hours"."""
    if seconds < 90:
        return f"{max(10, 10 * round(seconds / 10))} seconds"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)} minutes"
    return f"{seconds / 3600:.1f} hours"
