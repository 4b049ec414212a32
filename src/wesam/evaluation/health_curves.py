"""The signals of health of a run, as rows and small curves that a page can show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wesam.health.selection import Candidate
from wesam.health.signals import SIGNAL_NAMES, SIGNALS
from wesam.training.watch import Selection

WIDTH, HEIGHT = 160, 32
_MARGIN = 3.0


@dataclass(frozen=True)
class HealthCurve:
    """One signal along a run.

    Attributes:
        name, meaning: see `health.signals.SIGNALS`.
        source, chosen, last: its values at the source model, at what was chosen and at the last step.
        points: an SVG polyline's, within `WIDTH` x `HEIGHT`.
        dot: ``(x, y)`` of what was chosen, on that picture.
    """

    name: str
    meaning: str
    source: float
    chosen: float
    last: float
    points: str
    dot: tuple[float, float]


def health_curves(selection: Selection) -> list[HealthCurve]:
    """A curve for each signal; none where no health was measured."""
    if not selection.candidates:
        return []
    passed = _passed(selection.candidates)
    chosen = selection.candidates[selection.chosen]
    curves = []
    for name in SIGNAL_NAMES:
        values = np.array([candidate.signals[name] for candidate in passed])
        steps = np.array([candidate.step for candidate in passed], dtype=float)
        low, high = min(values.min(), chosen.signals[name]), max(values.max(), chosen.signals[name])
        span, length = (high - low) or 1.0, steps[-1] or 1.0

        def place(step: float, value: float, low: float = low, span: float = span, length: float = length) -> str:
            x = _MARGIN + (WIDTH - 2 * _MARGIN) * step / length
            y = HEIGHT - _MARGIN - (HEIGHT - 2 * _MARGIN) * (value - low) / span
            return f"{x:.1f},{y:.1f}"

        x, y = place(chosen.step, chosen.signals[name]).split(",")
        curves.append(
            HealthCurve(
                name,
                SIGNALS[name].meaning,
                source=values[0],
                chosen=chosen.signals[name],
                last=values[-1],
                points=" ".join(place(step, value) for step, value in zip(steps, values, strict=True)),
                dot=(float(x), float(y)),
            )
        )
    return curves


def _passed(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The points that the run passed: what was made of them afterwards bears the step of an earlier one."""
    found: dict[int, Candidate] = {}
    for candidate in candidates:
        found.setdefault(candidate.step, candidate)
    return list(found.values())
