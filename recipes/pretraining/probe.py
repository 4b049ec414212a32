"""Is the model any good, and does it look at the image? Asked from the first minutes of training on.

A model can reach a decent IoU while blind: it draws plausible shapes into boxes. The *embedding swap* shows
it: the same prompts are decoded with the right image's features, another image's, and zeros.

It asks and scores as `evaluation` does, but scenes that lie in memory, each encoded once for many questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from transformers import SamModel

from wesam.automatic.candidates import find_candidates
from wesam.automatic.select import choose_thresholds, select_masks
from wesam.automatic.settings import AutomaticSettings
from wesam.evaluation.automatic import PromptScore, score_prompts
from wesam.evaluation.metrics import mask_overlap, mean_over_images
from wesam.evaluation.predict import decode_instances
from wesam.evaluation.trivial import TRIVIAL_MASKS
from wesam.frames.geometry import Geometry
from wesam.generated.canvas import Scene
from wesam.generated.scenes import generate
from wesam.labels.check import load_samples
from wesam.labels.images import read_sample
from wesam.masks import Rle, encode_mask
from wesam.models.features import Features
from wesam.models.inference import encode_view, inference
from wesam.models.segmenter import Segmenter
from wesam.prompts.simulate import random_points, tight_box
from wesam.types import Instance

Kind = Literal["box", "points", "point"]
Swap = Literal["right", "other", "zeros"]

#: A quarter of all masks stays. The default, for prompts to learn from, keeps a sixteenth: that may be fewer than there
#: are objects, however good the model is.
PROPOSALS = AutomaticSettings(iou_quantile=0.5, stability_quantile=0.5)


def scenes(family: str, seed: int, count: int, size: int = 256) -> list[Scene]:
    """Scenes of a seed that no pool used."""
    return [generate(family, seed, index, size) for index in range(count)]


def pack_scenes(pack: Path, count: int | None = None) -> list[Scene]:
    """The test split of a COCO pack (`images/`, `instances_test.json`).

    Raises:
        WesamError: if there is none, or it cannot be read.
    """
    samples, _ = load_samples(pack / "images", pack / "instances_test.json", decode=False)
    return [
        Scene(read_sample(sample), np.stack([instance.mask() for instance in sample.instances]))
        for sample in samples[:count]
    ]


@dataclass(frozen=True)
class Answers:
    """How good a model's answers to an image set are, and how good it thinks they are.

    Attributes:
        ious: with the true masks, one list an image with one value in [0, 1] an instance.
        predicted: the same as the model predicts them.
    """

    ious: list[list[float]]
    predicted: list[list[float]]

    @property
    def miou(self) -> float:
        """Mean over images of the mean IoU over instances, in percent."""
        return 100 * mean_over_images(self.ious)

    @property
    def correlation(self) -> float:
        """Of predicted with true IoU over all instances; 0 where all predictions are the same."""
        predicted = np.concatenate(self.predicted)
        return float(np.corrcoef(predicted, np.concatenate(self.ious))[0, 1]) if np.std(predicted) > 0 else 0.0


def evaluate(
    sam: SamModel,
    test: Sequence[Scene],
    kind: Kind = "box",
    swap: Swap = "right",
    most: int | None = None,
    seed: int = 0,
    features: Sequence[Features] | None = None,
) -> Answers:
    """Asks for every instance, and scores the answers at the original resolution.

    Args:
        sam: in float32, on any device; its weights are frozen by this.
        kind: "box" tight box, "points" five inside and five outside, "point" a single one inside.
        swap: whose features answer.
        most: instances an image at most; all if None.
        seed: of the points.
        features: of `embed`, to save asking the encoder again.
    """
    segmenter = Segmenter(sam, name="probe")
    features = features or embed(sam, test)
    true: list[list[float]] = []
    predicted: list[list[float]] = []
    with inference(segmenter):
        for i, scene in enumerate(test):
            masks = _limited(scene, most, i)
            use = features[i if swap == "right" else (i + 1) % len(test)]
            use = use.zeros_like() if swap == "zeros" else use
            asked = _asked(masks, kind, np.random.default_rng(seed + i))
            answers = list(decode_instances(segmenter, use, asked, _whole(segmenter, scene), scene.image.shape[:2]))
            true.append([_iou(mask, answer.rle) for mask, answer in zip(masks, answers, strict=True)])
            predicted.append([answer.iou for answer in answers])
    return Answers(true, predicted)


def embed(sam: SamModel, test: Sequence[Scene]) -> list[Features]:
    """Features of each scene."""
    segmenter = Segmenter(sam, name="probe")
    with inference(segmenter):
        return [encode_view(segmenter, scene.image, _whole(segmenter, scene)) for scene in test]


def automatic_recall(sam: SamModel, test: Sequence[Scene]) -> float:
    """Share of all instances, in percent, that the model finds without labels, at IoU 0.5 (`PROPOSALS`)."""
    segmenter, settings = Segmenter(sam, name="probe"), PROPOSALS
    found = [find_candidates(segmenter, scene.image, settings.grid) for scene in test]
    thresholds = choose_thresholds(found, settings)
    scores = []
    for scene, candidates in zip(test, found, strict=True):
        masks = select_masks(candidates, thresholds, settings, segmenter, scene.image.shape[:2])
        scores.append(score_prompts([mask.rle for mask in masks], [encode_mask(mask) for mask in scene.masks]))
    return 100 * PromptScore.total(scores).recall


def trivial(test: Sequence[Scene], most: int | None = None) -> dict[str, float]:
    """mIoU in percent of the answers that need no network, from the tight box."""
    asked = [(scene.image, _limited(scene, most, i)) for i, scene in enumerate(test)]
    return {
        name: 100
        * mean_over_images(
            [_iou(mask, encode_mask(answer(image, tight_box(mask)))) for mask in masks] for image, masks in asked
        )
        for name, answer in TRIVIAL_MASKS.items()
    }


def _limited(scene: Scene, most: int | None, seed: int) -> NDArray[np.bool_]:
    if most is None or len(scene.masks) <= most:
        return scene.masks
    return scene.masks[np.random.default_rng(seed).permutation(len(scene.masks))[:most]]


def _asked(masks: NDArray[np.bool_], kind: Kind, generator: np.random.Generator) -> list[Instance]:
    if kind == "box":
        return [Instance(str(i), box=tight_box(mask)) for i, mask in enumerate(masks)]
    counts = (5, 5) if kind == "points" else (1, 0)
    return [Instance(str(i), points=random_points(mask, generator, *counts)) for i, mask in enumerate(masks)]


def _whole(segmenter: Segmenter, scene: Scene) -> Geometry:
    height, width = scene.image.shape[:2]
    return Geometry((0, 0, width, height), segmenter.input)


def _iou(mask: NDArray[np.bool_], answer: Rle) -> float:
    return mask_overlap(answer, encode_mask(mask)).iou
