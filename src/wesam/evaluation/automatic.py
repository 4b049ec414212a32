"""Are automatic prompts any good? Judged by masks that nobody showed to the network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from pycocotools import mask as coco_mask

from wesam.automatic.settings import AutomaticSettings
from wesam.errors import NothingFoundError
from wesam.evaluation.found import find_objects
from wesam.evaluation.ground_truth import true_masks
from wesam.evaluation.predict import DEFAULT_OVERLAP
from wesam.masks import Rle
from wesam.models.segmenter import Segmenter
from wesam.types import Sample

# What counts as found, as in COCO's AP50 (Lin et al. 2014, arXiv 1405.0312).
FOUND_IOU = 0.5


@dataclass(frozen=True)
class PromptScore:
    """Counts over one or more images.

    Attributes:
        prompts: how many survived.
        right: how many of them have an IoU of at least 0.5 with some object.
        objects: how many there are.
        found: how many of them some prompt has an IoU of at least 0.5 with.
    """

    prompts: int
    right: int
    objects: int
    found: int

    @property
    def precision(self) -> float:
        """Share of the prompts that are right, in [0, 1]; NaN without prompts."""
        return self.right / self.prompts if self.prompts else float("nan")

    @property
    def recall(self) -> float:
        """Share of the objects that are found, in [0, 1]; NaN without objects."""
        return self.found / self.objects if self.objects else float("nan")

    @staticmethod
    def total(scores: Iterable[PromptScore]) -> PromptScore:
        """Counts of several images together: an object weighs the same wherever it is."""
        counts = [(score.prompts, score.right, score.objects, score.found) for score in scores]
        return (
            PromptScore(*(sum(column) for column in zip(*counts, strict=True))) if counts else PromptScore(0, 0, 0, 0)
        )


def score_prompts(found: Sequence[Rle], true: Sequence[Rle]) -> PromptScore:
    """Compares the masks of one image's prompts with its objects.

    Two prompts may be right about one object, as an object and its part overlap. An object without a mask in the ground
    truth makes a prompt on it wrong: where not everything is labelled, precision is a lower bound.

    Args:
        found: masks of the prompts.
        true: masks of the objects, of the same height and width.
    """
    if not found or not true:
        return PromptScore(len(found), 0, len(true), 0)
    hits = np.asarray(coco_mask.iou(list(found), list(true), [0] * len(true))) >= FOUND_IOU
    return PromptScore(len(found), int(hits.any(1).sum()), len(true), int(hits.any(0).sum()))


def score_found(
    segmenter: Segmenter,
    truths: Sequence[Sample],
    settings: AutomaticSettings | None = None,
    tile: int | None = None,
    overlap: int = DEFAULT_OVERLAP,
) -> PromptScore:
    """How much of what is labelled a model finds without any label.

    Args:
        segmenter: as it stands; within `segmenter.anchor()` this is the source model.
        truths: images whose instances all carry masks (see `ground_truth.scorable`).
        settings, tile, overlap: as for `found.find_objects`.

    Returns:
        Counts over all images; nothing found counts as such.

    Raises:
        WesamError: if an image cannot be read.
    """
    try:
        found = find_objects(segmenter, truths, settings, tile=tile, overlap=overlap).samples
    except NothingFoundError:
        found = tuple(truth.with_instances(()) for truth in truths)
    return PromptScore.total(
        score_prompts([instance.rle for instance in sample.instances if instance.rle is not None], true_masks(truth))
        for sample, truth in zip(found, truths, strict=True)
    )
