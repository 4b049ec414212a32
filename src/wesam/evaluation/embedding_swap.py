"""Does the model use the image, or does it only draw shapes into boxes?

A promptable model can score well while blind: a box says much about the object in it. The same prompts
decoded with another image's features, or with none, show what the features are worth.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from wesam.errors import WesamError
from wesam.evaluation.ground_truth import ScoredPrompt, scorable, simulated_prompts, true_masks
from wesam.evaluation.metrics import mask_overlap, mean_over_images
from wesam.evaluation.predict import decode_instances
from wesam.frames.geometry import Geometry
from wesam.labels.images import read_sample
from wesam.models.features import Features
from wesam.models.inference import encode_view, inference
from wesam.models.segmenter import Segmenter
from wesam.types import Sample


class EmbeddingSwap(BaseModel):
    """mIoU of the same prompts under three sets of features.

    Attributes:
        own: the image's own features.
        other: the features of the image before it.
        zeros: features of zeros.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    own: float
    other: float
    zeros: float

    @property
    def worth(self) -> float:
        """What the image adds over the better blind prediction; near 0 or below it the model is blind."""
        return self.own - max(self.other, self.zeros)


def embedding_swap(
    segmenter: Segmenter, samples: Sequence[Sample], prompt: ScoredPrompt = "box", seed: int = 0
) -> EmbeddingSwap:
    """Scores a segmenter with the right features and with wrong ones. Images are encoded whole.

    Args:
        segmenter: as it stands; within `segmenter.anchor()` this tests the source model.
        samples: at least two images whose instances all carry masks.
        prompt: what is simulated from the masks.
        seed: of simulated points.

    Raises:
        WesamError: if there are fewer than two images with instances, or one has no mask or cannot be read,
            or the prompt cannot be scored.
    """
    samples = [truth for truth in map(scorable, samples) if truth.instances]
    if len(samples) < 2:
        raise WesamError(f"embedding swap: expected at least 2 images with objects, got {len(samples)}")
    scores: dict[str, list[list[float]]] = {"own": [], "other": [], "zeros": []}
    with inference(segmenter):
        before = _features(segmenter, samples[-1])
        for sample in samples:
            own = _features(segmenter, sample)
            variants = {"own": own, "other": before, "zeros": own.zeros_like()}
            for name, features in variants.items():
                scores[name].append(_ious(segmenter, sample, features, prompt, seed))
            before = own
    return EmbeddingSwap(**{name: mean_over_images(images) for name, images in scores.items()})


def _features(segmenter: Segmenter, sample: Sample) -> Features:
    return encode_view(segmenter, read_sample(sample), _whole(segmenter, sample))


def _ious(segmenter: Segmenter, sample: Sample, features: Features, prompt: ScoredPrompt, seed: int) -> list[float]:
    prompted = simulated_prompts(sample, prompt, seed)
    size = (sample.height, sample.width)
    predictions = decode_instances(segmenter, features, prompted, _whole(segmenter, sample), size)
    return [mask_overlap(one.rle, truth).iou for one, truth in zip(predictions, true_masks(sample), strict=True)]


def _whole(segmenter: Segmenter, sample: Sample) -> Geometry:
    return Geometry((0, 0, sample.width, sample.height), segmenter.input)
