"""How well a run fares, measured without one true mask on target images that it does not train on."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from wesam.batches.dataset import TargetDataset, ViewSettings, collate
from wesam.health.signals import (
    SignalName,
    anchor_agreement,
    area_drift,
    degenerate,
    effective_rank,
    label_agreement,
    mirrored_back,
    prompts_from_answers,
)
from wesam.losses.contrastive import pool_features
from wesam.losses.iou import mask_iou
from wesam.methods.anchor import AnchorBranch
from wesam.methods.entries import Entries
from wesam.models.features import Features
from wesam.models.inference import inference
from wesam.models.segmenter import Segmenter
from wesam.models.stability import stability_score
from wesam.types import Prompts, Sample

Signals = dict[SignalName, float]

# Of the images with objects, this fraction is held back: at least 4, since fewer say little, and at most a fifth, so
# that a set below 20 trains on all.
_FRACTION = 0.1
_LARGEST_FRACTION = 0.2
_FEWEST = 4

#: Images (or tiles) at most that are held back and measured.
MOST_IMAGES = 16

#: Views of an image that are looked at: as it lies, mirrored, strong.
VIEWS = 3

# Masks of 16 images with 40 objects take 42 MB at one byte a cell for SAM; they are kept at one bit.
_ANCHOR_BYTES = 2**28


class HealthSettings(BaseModel):
    """When and on what the signals of health are measured."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    every: int = Field(
        default=50,
        ge=0,
        description="steps between two measurements, on a tenth of the images, which are held back for it; the first "
        "is before the first step, the last after the last one; 0: none, and all images are trained on (chosen here; "
        "with batches of 2 it costs 4 % of the time on 6 images, 11 % on 16; paper: none)",
    )


@dataclass(frozen=True)
class Split:
    """Which images are learned from, and which are measured.

    Attributes:
        training: the images to train on.
        health: the images to measure health on.
        held_back: whether these are other images than those trained on.
    """

    training: list[Sample]
    health: list[Sample]
    held_back: bool

    @property
    def words(self) -> str:
        """What was measured on, for a reader of signals."""
        count = f"{len(self.health)} image{'' if len(self.health) == 1 else 's'}"
        if self.held_back:
            return f"{count} held back from training"
        return f"{count} that are also trained on"


def split_samples(
    samples: Sequence[Sample], settings: HealthSettings, seed: int, precious: Collection[str] = ()
) -> Split:
    """Holds back a share of the images that have objects, drawn by the seed alone.

    At least 4 and at most `MOST_IMAGES` are held back, but never more than a fifth; where that leaves fewer
    than 4, the images measured are training images too. Both lists are in the order of
    ids, as what is held back, and what comes when, is drawn by place: a file may list its images in any order.

    Args:
        samples: all images.
        settings: how many to hold back.
        seed: of the draw.
        precious: ids of images with masks to learn from: held back only where there are not enough others.
    """
    samples = sorted(samples, key=lambda sample: sample.id)
    labelled = [index for index, sample in enumerate(samples) if sample.instances]
    order = np.random.default_rng([seed, len(labelled)]).permutation(len(labelled))
    shuffled = [labelled[position] for position in order]
    count = min(max(round(_FRACTION * len(labelled)), _FEWEST), MOST_IMAGES)
    if settings.every == 0:
        return Split(list(samples), [], held_back=False)
    if count > _LARGEST_FRACTION * len(labelled):
        measured = sorted(shuffled[:MOST_IMAGES])
        return Split(list(samples), [samples[index] for index in measured], held_back=False)
    others = [index for index in shuffled if samples[index].id not in precious]
    held = set((others if len(others) >= count else shuffled)[:count])
    return Split(
        [sample for index, sample in enumerate(samples) if index not in held],
        [samples[index] for index in sorted(held)],
        held_back=True,
    )


class HealthProbe:
    """Measures all signals of `health.signals` on a fixed set of views.

    An image costs one pass of the encoder over three views (as it lies, mirrored, strong) and six answers to a
    prompt, without gradients. What the source model says to it is asked once.

    Args:
        samples: images with weak labels, those of `Split.health`.
        segmenter: whose input the views are made for.
        views: how training looks at images; its tiles and strong view count here too, its flips do not.
        seed: of the strong views, and of the choice among many instances of an image.
        images: views at most; of more, an even choice is measured.
    """

    def __init__(
        self, samples: Sequence[Sample], segmenter: Segmenter, views: ViewSettings, seed: int, images: int
    ) -> None:
        self._dataset = TargetDataset(samples, segmenter, views, seed)
        count = len(self._dataset)
        self._indices = np.linspace(0, count - 1, min(count, images)).round().astype(int).tolist()
        self._anchor = AnchorBranch(Entries(background=False, ignore_padding=True), _ANCHOR_BYTES)

    def measure(self, segmenter: Segmenter, parts: int = 1) -> Signals:
        """The signals of the segmenter as it stands: means over instances, then over images.

        Args:
            segmenter: to measure.
            parts: into how many parts the views of an image go through the encoder, where memory is short.

        Raises:
            WesamError: if an image cannot be read.
        """
        rows, pooled = [], []
        with inference(segmenter):
            for index in self._indices:
                signals, z = self._measure_view(segmenter, index, parts)
                rows.append({name: _mean(name, values.tolist()) for name, values in signals.items()})
                pooled.append(z)
        means: Signals = {name: _mean(name, [row[name] for row in rows]) for name in rows[0]}
        if math.isnan(means["anchor_agreement"]):
            means["anchor_agreement"] = 1.0  # a source model that found nothing at all cannot be contradicted
        means["feature_rank"] = effective_rank(torch.cat(pooled))
        return means

    def _measure_view(self, segmenter: Segmenter, index: int, parts: int) -> tuple[dict[SignalName, Tensor], Tensor]:
        """Each signal as (n,), and the pooled features (k, C) of the k masks that did not vanish."""
        item, mirrored = self._dataset.upright(index), self._dataset.mirrored(index)
        device = next(segmenter.parameters()).device
        batch = collate([item]).to(device)
        prompts, count = batch.prompts, len(batch.prompts)
        valid = batch.valid.expand(count, -1, -1)
        cell = segmenter.input_size / segmenter.mask_grid

        anchor = self._anchor(segmenter, batch).masks
        views = torch.cat([batch.weak, mirrored.weak[None].to(device), batch.strong])
        features = Features.cat([segmenter.encode(part) for part in views.tensor_split(parts)])
        image = torch.arange(VIEWS, device=device).repeat_interleave(count)
        looks = segmenter.decode(features, Prompts.cat([prompts, mirrored.prompts.to(device), prompts]), image)
        upright, flipped, strong = looks[:count], looks[count : 2 * count], looks[2 * count :]
        masks = upright.logits > 0
        unflipped = mirrored_back(flipped.logits, item.geometry.resized[1] / cell) > 0
        again = segmenter.decode(
            features[:1],
            Prompts.cat(prompts_from_answers(upright.logits, cell)),
            torch.zeros(3 * count, dtype=torch.long, device=device),
        )
        from_box, from_point, from_mask = (again.logits > 0).chunk(3)
        z, present = pool_features(features.pooled[:1], masks & (valid > 0), batch.image_index)
        return {
            "anchor_agreement": anchor_agreement(masks, anchor, valid),
            "flip_agreement": mask_iou(masks, unflipped, valid),
            "strong_agreement": mask_iou(masks, strong.logits > 0, valid),
            "box_agreement": mask_iou(masks, from_box, valid),
            "point_agreement": mask_iou(masks, from_point, valid),
            "mask_agreement": mask_iou(masks, from_mask, valid),
            "predicted_iou": upright.iou,
            "stability": stability_score(upright.logits, valid),
            "label_agreement": label_agreement(masks, prompts, cell),
            "area_drift": area_drift(masks, anchor, valid),
            "degenerate_masks": degenerate(masks, valid),
        }, z[present]


def _mean(name: SignalName, values: Sequence[float]) -> float:
    """A value that is not a number makes the mean none, too, but where `anchor_agreement` is not defined."""
    known = [value for value in values if not math.isnan(value)] if name == "anchor_agreement" else values
    return float(np.mean(known)) if known else math.nan
