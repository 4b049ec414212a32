"""The learning rate of each step."""

from __future__ import annotations

from wesam.models.segmenter import Segmenter
from wesam.training.config import RunConfig


def base_rate(config: RunConfig, segmenter: Segmenter) -> float:
    """The rate after the warm-up: as set, or the model family's own."""
    return segmenter.family.learning_rate if config.learning_rate is None else config.learning_rate


def learning_rate(config: RunConfig, rate: float, step: int) -> float:
    """Rate of the step that follows `step` finished ones: linear warm-up, then constant."""
    warmup = config.effective_warmup_steps
    if step < warmup:
        return rate * (step + 1) / warmup
    return rate
