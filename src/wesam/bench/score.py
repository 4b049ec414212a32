"""Scores of a segmenter as a table needs them: several kinds of prompts, all metrics, one value an image kept."""

from __future__ import annotations

from collections.abc import Sequence

from wesam.bench.result import Score
from wesam.evaluation.evaluate import evaluate
from wesam.evaluation.ground_truth import ScoredPrompt
from wesam.evaluation.scores import PromptScores
from wesam.models.segmenter import Segmenter
from wesam.prompts.simulated_set import SimulationSettings
from wesam.types import Sample

#: What each kind of prompt is as a weak label to adapt from.
LABELS: dict[ScoredPrompt, SimulationSettings] = {
    "box": SimulationSettings(kind="box"),
    "point": SimulationSettings(kind="point"),
    "mask": SimulationSettings(kind="mask"),
    "click": SimulationSettings(kind="point", positives=1, negatives=0),
}


def score(
    segmenter: Segmenter, samples: Sequence[Sample], prompts: Sequence[ScoredPrompt], seed: int, step: int
) -> dict[ScoredPrompt, Score]:
    """Scores of a segmenter as it is now, by prompt.

    Args:
        samples: images whose objects all have masks.
        prompts: kinds to simulate from the masks.
        seed: of what is drawn.
        step: of the run, which is noted in the score.
    """
    found = evaluate(segmenter, samples, prompts=prompts, seed=seed, compare_source=False, trivial=False, boundary=True)
    return {prompt: _score(scores, step) for prompt, scores in found.prompts.items()}


def _score(scores: PromptScores, step: int) -> Score:
    judged = scores.methods[scores.judged]
    return Score(
        step=step,
        miou=judged.miou,
        dice=judged.dice,
        boundary_iou=judged.boundary_iou,
        images=[round(image.iou[scores.judged], 6) for image in scores.images],
    )
