"""Is the adapted model better than the one it came from, and than no model at all?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from wesam.errors import WesamError
from wesam.evaluation.ground_truth import scorable, simulated_prompts, true_masks
from wesam.evaluation.metrics import Overlap, mask_overlap
from wesam.evaluation.predict import DEFAULT_OVERLAP, predict_image
from wesam.evaluation.scores import Evaluation, Method, image_score, method_score, source_difference
from wesam.evaluation.trivial import TRIVIAL_ANSWERS
from wesam.labels.images import read_sample
from wesam.masks import Rle, encode_mask
from wesam.models.segmenter import Segmenter
from wesam.prompts.weak_labels import PromptKind
from wesam.types import Instance, Sample
from wesam.updates.lora import adapter_parameters


def evaluate(
    segmenter: Segmenter,
    samples: Sequence[Sample],
    *,
    prompt: PromptKind = "box",
    seed: int = 0,
    tile: int | None = None,
    overlap: int = DEFAULT_OVERLAP,
    compare_source: bool = True,
    trivial: bool = True,
    on_image: Callable[[Sample], None] | None = None,
) -> Evaluation:
    """Scores a segmenter against ground-truth masks, at the original resolution of the images.

    Every method answers the same prompts, simulated once from the masks. Answers that need no network (filled
    box, inscribed ellipse, GrabCut) are given from the object's box, the one that a box prompt would be, whatever
    the prompt is.

    Args:
        segmenter: with or without an adapter; with one, it is scored with ("adapted") and without ("source").
        samples: images whose instances all carry masks. Empty masks and images without instances are not scored.
        prompt: "box", "point" or "mask", simulated from the masks (see `ground_truth.simulated_prompts`).
        seed: of simulated points and of the bootstrap.
        tile, overlap: see `predict.predict_image`.
        compare_source: whether the source model is scored beside the adapted one.
        trivial: whether the answers without a network are scored.
        on_image: called after each image, for a progress display.

    Raises:
        WesamError: if no image has an object, an instance has no mask, an image cannot be read, or the prompt is
            "auto", which may be the true mask itself.
    """
    truths = [scorable(sample) for sample in samples]  # a label that cannot be scored ends it here, not after hours
    rows = []
    scored: list[dict[Method, list[Overlap]]] = []
    for sample, truth in zip(samples, truths, strict=True):
        if truth.instances:
            image = read_sample(truth)
            prompted = simulated_prompts(truth, prompt, seed)
            answers = network_answers(segmenter, image, prompted, tile, overlap, compare_source)
            if trivial:
                answers.update(_trivial_answers(image, simulated_prompts(truth, "box", seed)))
            overlaps = {
                method: [mask_overlap(*pair) for pair in zip(masks, true_masks(truth), strict=True)]
                for method, masks in answers.items()
            }
            scored.append(overlaps)
            rows.append(image_score(sample.id, overlaps))
        if on_image is not None:
            on_image(sample)
    if not rows:
        raise WesamError(f"evaluate: expected labelled objects, got {len(samples)} images without any")
    return Evaluation(
        segmenter=segmenter.name,
        prompt=prompt,
        seed=seed,
        tile=tile,
        overlap=overlap,
        methods={method: method_score([image[method] for image in scored]) for method in scored[0]},
        difference=source_difference(rows, seed),
        images=rows,
        skipped_images=len(samples) - len(rows),
        skipped_instances=sum(len(sample.instances) for sample in samples) - sum(row.instances for row in rows),
    )


def network_answers(
    segmenter: Segmenter,
    image: NDArray[np.uint8],
    prompted: Sequence[Instance],
    tile: int | None = None,
    overlap: int = DEFAULT_OVERLAP,
    compare_source: bool = True,
) -> dict[Method, list[Rle]]:
    """The masks of the source model, of the adapted one, or of both, from the same prompts.

    Args:
        image: (H, W, 3) uint8 RGB.
        prompted: weak labels in the image frame.
        compare_source: whether the source model answers beside the adapted one.
    """

    def masks() -> list[Rle]:
        return [prediction.rle for prediction in predict_image(segmenter, image, prompted, tile, overlap)]

    answers: dict[Method, list[Rle]] = {}
    adapted = bool(adapter_parameters(segmenter))
    if compare_source or not adapted:
        with segmenter.anchor():
            answers["source"] = masks()
    if adapted:
        answers["adapted"] = masks()
    return answers


def _trivial_answers(image: NDArray[np.uint8], boxed: Sequence[Instance]) -> dict[Method, list[Rle]]:
    boxes = [instance.box for instance in boxed if instance.box is not None]
    return {method: [encode_mask(answer(image, box)) for box in boxes] for method, answer in TRIVIAL_ANSWERS.items()}
