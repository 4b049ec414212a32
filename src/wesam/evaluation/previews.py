"""Before/after pictures: an image, the masks of the source and of the adapted model, and its labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from wesam.atomic import naming
from wesam.evaluation.evaluate import network_answers
from wesam.evaluation.ground_truth import scorable, simulated_prompts
from wesam.evaluation.metrics import mask_overlap, mean_over_images
from wesam.evaluation.overlay import Panel, Picture, draw_panels
from wesam.evaluation.predict import DEFAULT_OVERLAP
from wesam.evaluation.scores import Evaluation
from wesam.labels.files import mark_as_output
from wesam.labels.images import read_sample
from wesam.masks import Rle
from wesam.models.segmenter import Segmenter
from wesam.prompts.weak_labels import PromptKind, weak_labels
from wesam.types import Sample


def pick_samples(samples: Sequence[Sample], count: int, evaluation: Evaluation | None = None) -> list[Sample]:
    """At most `count` samples with instances that stand for all of them, in a fixed order.

    With the evaluation of an adapted model: evenly spaced by what adaptation changed, from the image it
    harmed most to the one it helped most, so that nobody sees the best alone. Without: evenly spaced over
    the set.
    """
    samples = [sample for sample in samples if sample.instances]
    if evaluation is not None and evaluation.difference is not None:
        gains = {row.sample_id: row.iou["adapted"] - row.iou["source"] for row in evaluation.images}
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
    truth: bool = False,
    seed: int = 0,
    tile: int | None = None,
    overlap: int = DEFAULT_OVERLAP,
) -> list[Path]:
    """Draws one PNG a sample.

    Args:
        samples: images with instances.
        folder: written to; made if absent. Pictures of an earlier call are removed.
        prompt: what the masks are prompted with.
        truth: whether the samples carry ground-truth masks: then the last panel shows them, and the titles
            give the IoU on this image; prompts are then simulated from them, and `prompt` is not "auto". Else the
            last panel shows the prompts.
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
        if truth:
            prompted = simulated_prompts(scorable(sample), prompt, seed)
            true = {i.id: i.rle for i in sample.instances if i.rle is not None}
        else:
            prompted, true = weak_labels(sample, prompt, seed).instances, {}
        answers = network_answers(segmenter, image, prompted, tile, overlap)
        panels = [Panel("image")]
        for method, masks in answers.items():
            found = {instance.id: rle for instance, rle in zip(prompted, masks, strict=True)}
            panels.append(Panel(method + _iou_title(found, true), masks=found))
        panels.append(Panel("ground truth", masks=true) if truth else Panel.of_labels("labels", prompted))
        files.append(_save(folder, number, sample, image, panels))
    return files


def write_label_pictures(samples: Sequence[Sample], folder: Path, title: str = "labels") -> list[Path]:
    """Draws each image, and beside it all that its instances carry: masks, boxes, points.

    Args:
        samples: images with instances.
        folder: written to; made if absent. Pictures of an earlier call are removed.
        title: above the labels.

    Returns:
        The files, in the order of the samples.

    Raises:
        WesamError: if an image cannot be read.
    """
    _make_anew(folder)
    files = []
    for number, sample in enumerate(samples, start=1):
        panels = [Panel("image"), Panel.of_labels(f"{len(sample.instances)} {title}", sample.instances)]
        files.append(_save(folder, number, sample, read_sample(sample), panels))
    return files


def _make_anew(folder: Path) -> None:
    """The folder without the pictures of an earlier call."""
    folder.mkdir(parents=True, exist_ok=True)
    mark_as_output(folder)
    for file in folder.glob("[0-9][0-9]*_*.png"):
        file.unlink()


def _save(folder: Path, number: int, sample: Sample, image: Picture, panels: Sequence[Panel]) -> Path:
    # Numbered, since images of different sub-folders may share a name.
    file = folder / f"{number:02d}_{PurePosixPath(sample.id).stem}.png"
    with naming(file):
        Image.fromarray(draw_panels(image, panels)).save(file)
    return file


def _iou_title(found: Mapping[str, Rle], true: Mapping[str, Rle]) -> str:
    ious = [mask_overlap(rle, true[id_]).iou for id_, rle in found.items() if id_ in true]
    return f"  IoU {100 * mean_over_images([ious]):.1f}" if ious else ""
