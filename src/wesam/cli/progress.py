"""How far a command is: a bar in a terminal, elsewhere a line every few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from wesam.cli.console import errors

if TYPE_CHECKING:
    from wesam.training.progress import Progress as TrainingProgress

#: Seconds between two lines where there is no terminal.
LINE_EVERY = 5.0


class Display:
    """Shows one task after another; a task appears with its first numbers.

    Args:
        bars: drawn in a terminal; None for lines.
        clock: seconds, from any beginning.
    """

    def __init__(self, bars: Progress | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._bars = bars
        self._clock = clock
        self._task = ""
        self._began = self._last = 0.0
        self._before = 0  # done when the task was first heard of

    def update(self, task: str, done: int, total: int, detail: str = "") -> None:
        """Shows how far a task is.

        Args:
            task: what is done, such as "adapting".
            done, total: in its own units.
            detail: more numbers, in words.
        """
        if task != self._task:
            self._task, self._began, self._last, self._before = task, self._clock(), float("-inf"), done
            if self._bars is not None:
                self._bars.add_task(task, total=total, detail="")
        if self._bars is not None:
            self._bars.start()
            self._bars.update(self._bars.task_ids[-1], completed=done, total=total, detail=detail)
            return
        now = self._clock()
        if now - self._last < LINE_EVERY and done < total:
            return
        self._last = now
        since = done - self._before
        left = (now - self._began) / since * (total - done) if since else 0.0
        parts = [
            f"{task} {done}/{total}",
            *filter(None, [detail]),
            *([f"about {left:.0f} s left"] if left >= 1 else []),
        ]
        errors.print(", ".join(parts), markup=False, highlight=False, soft_wrap=True)


@contextmanager
def display() -> Iterator[Display]:
    """A display for the time of a block."""
    if not errors.is_terminal:
        yield Display(None)
        return
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=16),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[detail]}"),
        console=errors,
    )
    try:
        yield Display(bars)
    finally:
        bars.stop()


@contextmanager
def image_progress(total: int, task: str = "images") -> Iterator[Callable[[object], None]]:
    """Counts images; what it gives is to be called once an image."""
    done = 0
    with display() as shown:

        def advance(_: object) -> None:
            nonlocal done
            done += 1
            shown.update(task, done, total)

        yield advance


@contextmanager
def loss_progress() -> Iterator[Callable[[TrainingProgress], None]]:
    """Shows step, losses and images/s of a run."""
    with display() as shown:

        def show(state: TrainingProgress) -> None:
            losses = [f"{name} {state.metrics[name]:.2f}" for name in state.shown if name in state.metrics]
            detail = ", ".join([f"{state.images_per_second:.1f} images/s", *losses])
            shown.update("adapting, step", state.step, state.steps, detail)

        yield show
