"""Scores of a segmenter as a table needs them: several kinds of prompts, all metrics, one value an image kept."""

from __future__ import annotations

from collections.abc import Sequence

from wesam.automatic.settings import AutomaticSettings, GridSettings
from wesam.bench.result import Found, Score
from wesam.errors import NothingFoundError
from wesam.evaluation.average_precision import average_precision
from wesam.evaluation.evaluate import evaluate
from wesam.evaluation.found import find_objects
from wesam.evaluation.ground_truth import ScoredPrompt, scorable
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


# Points a side: SAM's 32 would make this table dearer than all others together.
_GRID = GridSettings(points_per_side=16)


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


def found(segmenter: Segmenter, samples: Sequence[Sample]) -> Found:
    """What a segmenter as it is now finds without any prompt: a grid of points, filters, suppression (`automatic`).

    Args:
        segmenter: with what it has learned.
        samples: images whose objects all have masks.
    """
    truths = [scorable(sample) for sample in samples]
    try:
        answered = find_objects(segmenter, truths, AutomaticSettings(grid=_GRID))
    except NothingFoundError:
        return Found(ap=0.0, ap50=0.0, recall=0.0, masks=0)
    scores = {name: iou for name, (iou, _) in answered.scores.items()}
    judged = average_precision(answered.samples, scores, truths)
    return Found(ap=judged.ap, ap50=judged.ap50, recall=judged.recall, masks=len(scores))
