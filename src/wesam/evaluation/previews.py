"""Before/after pictures: an image, the masks of the source and of the adapted model, and its labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from wesam.atomic import naming
from wesam.evaluation.evaluate import network_masks
from wesam.evaluation.ground_truth import PROMPT_NAMES, ScoredPrompt, scorable, simulated_prompts
from wesam.evaluation.metrics import mask_overlap, mean_over_images
from wesam.evaluation.overlay import Panel, Picture, draw_rows
from wesam.evaluation.predict import DEFAULT_OVERLAP
from wesam.evaluation.scores import Evaluation, Method
from wesam.labels.files import mark_as_output
from wesam.labels.images import read_sample
from wesam.masks import Rle
from wesam.models.segmenter import Segmenter
from wesam.prompts.weak_labels import PromptKind, weak_labels
from wesam.types import Instance, Sample


def pick_samples(samples: Sequence[Sample], count: int, evaluation: Evaluation | None = None) -> list[Sample]:
    """At most `count` samples with instances that stand for all of them, in a fixed order.

    With the evaluation of an adapted model: evenly spaced by what adaptation changed over all prompts, from the image
    it harmed most to the one it helped most, so that nobody sees the best alone. Without: evenly spaced over
    the set.
    """
    samples = [sample for sample in samples if sample.instances]
    gains: dict[str, float] = {}
    for scores in evaluation.prompts.values() if evaluation is not None else ():
        for row in scores.images if scores.difference is not None else ():
            gains[row.sample_id] = gains.get(row.sample_id, 0.0) + row.iou["adapted"] - row.iou["source"]
    if gains:
        samples = sorted((s for s in samples if s.id in gains), key=lambda sample: gains[sample.id])
    if len(samples) <= count:
        return samples
    # A sole sample is the middle one; of several the first and the last are among them.
    places = np.linspace(0, len(samples) - 1, count) if count > 1 else [(len(samples) - 1) / 2] * count
    return [samples[round(place)] for place in places]


def write_previews(
    segmenter: Segmenter,
    samples: Sequence[Sample],
    folder: Path,
    *,
    prompt: PromptKind = "auto",
    seed: int = 0,
    tile: int | None = None,
    overlap: int = DEFAULT_OVERLAP,
) -> list[Path]:
    """Draws one PNG a sample: the image, the masks of source and adapted model, and the labels that prompted them.

    Args:
        samples: images with instances.
        folder: written to; made if absent. Pictures of an earlier call are removed.
        prompt: which labels prompt.
        seed: of prompts that are drawn.
        tile, overlap: see `predict.predict_image`.

    Returns:
        The files, in the order of the samples.

    Raises:
        WesamError: if an image cannot be read, or a label does not hold what `prompt` asks for.
    """
    _make_anew(folder)
    files = []
    for number, sample in enumerate(samples, start=1):
        image = read_sample(sample)
        prompted = weak_labels(sample, prompt, seed).instances
        masks = network_masks(segmenter, image, {prompt: prompted}, tile, overlap)[prompt]
        panels = [Panel("image"), *_model_panels(masks, prompted, {}), Panel.of_labels("labels", prompted)]
        files.append(_save(folder, number, sample, image, [panels]))
    return files


def write_scored_previews(
    segmenter: Segmenter,
    samples: Sequence[Sample],
    folder: Path,
    *,
    prompts: Sequence[ScoredPrompt],
    seed: int = 0,
    tile: int | None = None,
    overlap: int = DEFAULT_OVERLAP,
) -> list[Path]:
    """Draws one PNG a sample that has ground-truth masks, with a row for each kind of prompt.

    A row holds the prompts, the masks of source and adapted model with their IoU on this image, and the truth.

    Args:
        samples: images whose instances all carry masks.
        folder: written to; made if absent. Pictures of an earlier call are removed.
        prompts: at least one kind, simulated from the masks.
        seed: of prompts that are drawn.
        tile, overlap: see `predict.predict_image`.

    Returns:
        The files, in the order of the samples.

    Raises:
        WesamError: if an image cannot be read.
    """
    _make_anew(folder)
    files = []
    for number, sample in enumerate(samples, start=1):
        image, truth = read_sample(sample), scorable(sample)
        true = {instance.id: instance.rle for instance in truth.instances if instance.rle is not None}
        prompted = {prompt: simulated_prompts(truth, prompt, seed) for prompt in prompts}
        masks = network_masks(segmenter, image, prompted, tile, overlap)
        rows = [
            [
                Panel.of_labels(f"prompt: {PROMPT_NAMES[prompt]}", instances),
                *_model_panels(masks[prompt], instances, true),
                Panel("ground truth", masks=true),
            ]
            for prompt, instances in prompted.items()
        ]
        files.append(_save(folder, number, sample, image, rows))
    return files


def write_label_pictures(
    samples: Sequence[Sample], folder: Path, title: str = "labels", numbered: bool = False
) -> list[Path]:
    """Draws each image, and beside it all that its instances carry: masks, boxes, points.

    Args:
        samples: images with instances.
        folder: written to; made if absent. Pictures of an earlier call are removed.
        title: above the labels.
        numbered: whether the objects' numbers are written on them.

    Returns:
        The files, in the order of the samples.

    Raises:
        WesamError: if an image cannot be read.
    """
    _make_anew(folder)
    files = []
    for number, sample in enumerate(samples, start=1):
        labels = Panel.of_labels(f"{len(sample.instances)} {title}", sample.instances, numbered)
        panels = [Panel("image"), labels]
        files.append(_save(folder, number, sample, read_sample(sample), [panels]))
    return files


def _make_anew(folder: Path) -> None:
    """The folder without the pictures of an earlier call."""
    folder.mkdir(parents=True, exist_ok=True)
    mark_as_output(folder)
    for file in folder.glob("[0-9][0-9]*_*.png"):
        file.unlink()


def _model_panels(
    masks: Mapping[Method, Sequence[Rle]], prompted: Sequence[Instance], true: Mapping[str, Rle]
) -> list[Panel]:
    """A panel for each method, with its IoU in the title where true masks are known."""
    panels = []
    for method, rles in masks.items():
        found = {instance.id: rle for instance, rle in zip(prompted, rles, strict=True)}
        panels.append(Panel(method + _iou_title(found, true), masks=found))
    return panels


def _save(folder: Path, number: int, sample: Sample, image: Picture, rows: Sequence[Sequence[Panel]]) -> Path:
    # Numbered, since images of different sub-folders may share a name.
    file = folder / f"{number:02d}_{PurePosixPath(sample.id).stem}.png"
    with naming(file):
        Image.fromarray(draw_rows(image, rows)).save(file)
    return file


def _iou_title(found: Mapping[str, Rle], true: Mapping[str, Rle]) -> str:
    ious = [mask_overlap(rle, true[id_]).iou for id_, rle in found.items() if id_ in true]
    return f"  IoU {100 * mean_over_images([ious]):.1f}" if ious else ""
