"""What a run says of itself while it goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from wesam.training.config import RunConfig
from wesam.training.run_folder import RunFolder

# Seconds without a log line after which a display hears of a step.
_SHOWN_EVERY = 5.0


@dataclass(frozen=True)
class Progress:
    """What a display is told every `log_every` steps: window means of the losses, which to show, and the speed.

    Where steps are slow it is told in between, too, of the step and the speed alone.
    """

    step: int
    steps: int
    metrics: dict[str, float]
    images_per_second: float
    shown: tuple[str, ...] = ("total",)


class Notes:
    """What is out of the ordinary: told at once, and kept in the run folder's metrics as a row with an "event"."""

    def __init__(self, accelerator: Accelerator, folder: RunFolder, tell: Callable[[str], None]) -> None:
        self._accelerator = accelerator
        self._folder = folder
        self._tell = tell

    def add(self, step: int, event: str, message: str, **details: Any) -> None:
        """Notes what happened at a step, in words; the row takes the details too."""
        self._tell(message)
        if self._accelerator.is_main_process:
            self._folder.append_metrics({"step": step, "event": event, "message": message, **details})


class LossWindow:
    """Losses since the last log line. They stay on the device until then, so that nothing waits for their values."""

    def __init__(
        self,
        accelerator: Accelerator,
        folder: RunFolder,
        config: RunConfig,
        on_progress: Callable[[Progress], None] | None,
        shown: tuple[str, ...],
    ) -> None:
        self._shown = shown
        self._accelerator = accelerator
        self._folder = folder
        self._config = config
        self._on_progress = on_progress
        self._shown_at = time.perf_counter()
        self.clear()

    def clear(self) -> None:
        self._rows: list[Tensor] = []
        self._names: list[str] = []
        self._images = 0
        self._began = time.perf_counter()

    def add(self, images: int, losses: dict[str, Tensor]) -> None:
        self._names = list(losses)
        self._rows.append(torch.stack([loss.float() for loss in losses.values()]))
        self._images += images

    def tick(self, step: int) -> None:
        """Shows that a slow run goes on."""
        now = time.perf_counter()
        if self._on_progress is None or now - self._shown_at < _SHOWN_EVERY or not self._images:
            return
        self._shown_at = now
        if self._accelerator.is_main_process:
            speed = self._images * self._accelerator.num_processes / (now - self._began)
            self._on_progress(Progress(step, self._config.steps, {}, speed, self._shown))

    def flush(self, step: int, rate: float) -> None:
        """Reduces over processes, writes and shows the window's means."""
        if not self._rows:
            return
        means = self._accelerator.reduce(torch.stack(self._rows).mean(0), reduction="mean")
        elapsed = time.perf_counter() - self._began
        speed = self._images * self._accelerator.num_processes / elapsed
        metrics = dict(zip(self._names, means.tolist(), strict=True))
        if self._accelerator.is_main_process:
            row: dict[str, Any] = {"step": step, **metrics, "learning_rate": rate, "images_per_second": speed}
            self._folder.append_metrics(row)
            self._accelerator.log({**metrics, "learning_rate": rate, "images_per_second": speed}, step=step)
            self._shown_at = time.perf_counter()
            if self._on_progress is not None:
                self._on_progress(Progress(step, self._config.steps, metrics, speed, self._shown))
        self.clear()
