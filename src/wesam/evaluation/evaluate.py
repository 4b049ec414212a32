"""Is the adapted model better than the one it came from, and than no model at all?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from wesam.automatic.settings import AutomaticSettings
from wesam.errors import WesamError
from wesam.evaluation.automatic import score_found
from wesam.evaluation.boundary import boundary_iou
from wesam.evaluation.ground_truth import ScoredPrompt, scorable, simulated_prompts, true_masks
from wesam.evaluation.metrics import Overlap, mask_overlap
from wesam.evaluation.predict import DEFAULT_OVERLAP, predict_sets
from wesam.evaluation.scores import (
    AutomaticScore,
    Evaluation,
    ImageScore,
    Method,
    PromptScores,
    image_score,
    method_score,
    source_difference,
)
from wesam.evaluation.trivial import TRIVIAL_MASKS
from wesam.labels.images import read_sample
from wesam.masks import Rle, encode_mask
from wesam.models.segmenter import Segmenter
from wesam.types import Instance, Sample

Kind = TypeVar("Kind")
T = TypeVar("T")

#: Labels are mostly boxes, use is mostly clicks: a user wants to know about both.
DEFAULT_PROMPTS: tuple[ScoredPrompt, ...] = ("box", "point", "click")


def evaluate(
    segmenter: Segmenter,
    samples: Sequence[Sample],
    *,
    prompts: Sequence[ScoredPrompt] = DEFAULT_PROMPTS,
    seed: int = 0,
    tile: int | None = None,
    overlap: int = DEFAULT_OVERLAP,
    compare_source: bool = True,
    trivial: bool = True,
    boundary: bool = False,
    automatic: AutomaticSettings | None = None,
    on_image: Callable[[Sample], None] | None = None,
) -> Evaluation:
    """Scores a segmenter against ground-truth masks, at the original resolution of the images.

    Every model is given the same prompts, simulated once from the masks. All kinds of prompts are decoded from the same
    features: images are encoded once a model, so several kinds cost little more than one. Masks that need no network
    (filled box, inscribed ellipse, GrabCut) are made from the object's box, whatever the prompt is.

    Args:
        segmenter: with or without an adapter; with one, it is scored with ("adapted") and without ("source").
        samples: images whose instances all carry masks. Empty masks and images without instances are not scored.
        prompts: which kinds are simulated from the masks (see `ground_truth.simulated_prompts`).
        seed: of what is drawn, and of the bootstrap.
        tile, overlap: see `predict.predict_image`.
        compare_source: whether the source model is scored beside the adapted one.
        trivial: whether the masks without a network are scored.
        boundary: whether boundary IoU is measured too.
        automatic: with it, what the models find without prompts is scored too, which takes seconds an image.
        on_image: called after each image, for a progress display.

    Raises:
        WesamError: if no image has an object, an instance has no mask, an image cannot be read, or no prompt or one
            that cannot be scored is named.
    """
    if not prompts:
        raise WesamError("evaluate: expected at least one kind of prompt, got none")
    kinds = tuple(dict.fromkeys(prompts))
    truths = [scorable(sample) for sample in samples]  # a label that cannot be scored ends it here, not after hours
    rows: dict[ScoredPrompt, list[ImageScore]] = {prompt: [] for prompt in kinds}
    scored: dict[ScoredPrompt, list[dict[Method, list[Overlap]]]] = {prompt: [] for prompt in kinds}
    for sample, truth in zip(samples, truths, strict=True):
        if truth.instances:
            image = read_sample(truth)
            prompted = {prompt: simulated_prompts(truth, prompt, seed) for prompt in kinds}
            masks = network_masks(segmenter, image, prompted, tile, overlap, compare_source)
            true = true_masks(truth)
            without = _overlaps(_trivial_masks(image, truth, seed), true, boundary) if trivial else {}
            for prompt in kinds:
                overlaps = {**_overlaps(masks[prompt], true, boundary), **without}
                scored[prompt].append(overlaps)
                rows[prompt].append(image_score(sample.id, overlaps))
        if on_image is not None:
            on_image(sample)
    count = len(rows[kinds[0]])
    if not count:
        raise WesamError(f"evaluate: expected labelled objects, got {len(samples)} images without any")
    return Evaluation(
        segmenter=segmenter.name,
        seed=seed,
        tile=tile,
        overlap=overlap,
        prompts={
            prompt: PromptScores(
                methods={method: method_score([image[method] for image in images]) for method in images[0]},
                difference=source_difference(rows[prompt], seed),
                images=rows[prompt],
            )
            for prompt, images in scored.items()
        },
        automatic={}
        if automatic is None
        else _automatic_scores(segmenter, [t for t in truths if t.instances], automatic, tile, overlap, compare_source),
        skipped_images=len(samples) - count,
        skipped_instances=sum(len(sample.instances) for sample in samples)
        - sum(len(truth.instances) for truth in truths),
    )


def _automatic_scores(
    segmenter: Segmenter,
    truths: Sequence[Sample],
    settings: AutomaticSettings,
    tile: int | None,
    overlap: int,
    compare_source: bool,
) -> dict[Method, AutomaticScore]:
    def score() -> AutomaticScore:
        found = score_found(segmenter, truths, settings, tile, overlap)
        return AutomaticScore(
            recall=found.recall,
            precision=found.precision if found.prompts else None,
            objects=found.objects,
            masks=found.prompts,
        )

    return _by_method(segmenter, score, compare_source)


def _by_method(segmenter: Segmenter, measure: Callable[[], T], compare_source: bool) -> dict[Method, T]:
    """What is measured of the source model, of the adapted one, or of both."""
    methods: dict[Method, T] = {}
    adapted = segmenter.update is not None
    if compare_source or not adapted:
        with segmenter.anchor():
            methods["source"] = measure()
    if adapted:
        methods["adapted"] = measure()
    return methods


def network_masks(
    segmenter: Segmenter,
    image: NDArray[np.uint8],
    prompted: Mapping[Kind, Sequence[Instance]],
    tile: int | None = None,
    overlap: int = DEFAULT_OVERLAP,
    compare_source: bool = True,
) -> dict[Kind, dict[Method, list[Rle]]]:
    """The masks of the source model, of the adapted one, or of both, from the same prompts.

    Args:
        image: (H, W, 3) uint8 RGB.
        prompted: weak labels in the image frame, by any key, such as the kind of prompt.
        compare_source: whether the source model predicts beside the adapted one.

    Returns:
        For each key and method, one mask a label.
    """

    def masks() -> list[list[Rle]]:
        sets = predict_sets(segmenter, image, list(prompted.values()), tile, overlap)
        return [[prediction.rle for prediction in found] for found in sets]

    methods = _by_method(segmenter, masks, compare_source)
    return {key: {name: sets[number] for name, sets in methods.items()} for number, key in enumerate(prompted)}


def _overlaps(
    masks: Mapping[Method, Sequence[Rle]], true: Sequence[Rle], boundary: bool
) -> dict[Method, list[Overlap]]:
    return {
        method: [_overlap(*pair, boundary) for pair in zip(found, true, strict=True)] for method, found in masks.items()
    }


def _overlap(predicted: Rle, true: Rle, boundary: bool) -> Overlap:
    overlap = mask_overlap(predicted, true)
    return replace(overlap, boundary=boundary_iou(predicted, true)) if boundary else overlap


def _trivial_masks(image: NDArray[np.uint8], truth: Sample, seed: int) -> dict[Method, list[Rle]]:
    boxes = [instance.box for instance in simulated_prompts(truth, "box", seed) if instance.box is not None]
    return {method: [encode_mask(draw(image, box)) for box in boxes] for method, draw in TRIVIAL_MASKS.items()}
