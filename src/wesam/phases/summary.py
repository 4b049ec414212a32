"""What `summary.json` says of a run."""

from __future__ import annotations

from typing import Any

from wesam.evaluation.scores import Evaluation
from wesam.phases.given import Given
from wesam.phases.lessons import Lessons
from wesam.phases.setup import Setup
from wesam.training.config import RunConfig
from wesam.training.loop import TrainResult


def summarise(
    config: RunConfig, given: Given, setup: Setup, lessons: Lessons, trained: TrainResult, evaluation: Evaluation | None
) -> dict[str, Any]:
    """What was done, how fast, what was left out, and what came of it. Keys stay what they are."""
    return {
        "model": config.model,
        "method": config.method.name,
        "start": None if setup.parent is None else {"adapter": str(config.start), "sha256": setup.parent},
        "images": len(lessons.prompted),
        "instances": sum(len(sample.instances) for sample in lessons.prompted),
        "masks": sum(len(sample.instances) for sample in lessons.masks or ()),
        "left_out": given.left_out,
        "skipped": [str(problem) for problem in given.skipped],
        "steps": trained.steps,
        "resumed_from": trained.resumed_from,
        "seconds": round(trained.seconds, 1),
        "images_per_second": round(trained.images_per_second, 2),
        "selection": trained.selection.record(),
        "health_seconds": round(trained.selection.seconds, 1),
        "last_metrics": ([row for row in setup.folder.read_metrics() if "total" in row] or [{}])[-1],
        "adapter_bytes": sum(file.stat().st_size for file in setup.folder.adapter.iterdir()),
        "scored_images_adapted_to": len(given.adapted_and_scored),
        "evaluation": evaluation and evaluation.miou(),
    }
