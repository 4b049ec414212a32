"""From labelled images to masks at the original resolution."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from wesam.evaluation.predictions import prediction_folder
from wesam.frames.geometry import Geometry
from wesam.frames.tiling import Crop, check_tiles, instance_extents, is_cut_off, plan_crops
from wesam.labels.images import read_sample
from wesam.masks import Rle
from wesam.models.features import Features
from wesam.models.inference import encode_view, full_size_masks, inference
from wesam.models.segmenter import Segmenter
from wesam.prompts.build import build_prompts
from wesam.prompts.coarse_mask import MaskFeeding
from wesam.prompts.weak_labels import PromptKind, weak_labels
from wesam.types import Instance, Sample

# Pixels that neighbouring tiles share: what adaptation does by default, too (batches.dataset.ViewSettings).
DEFAULT_OVERLAP = 64

_PROMPTS_AT_ONCE = 128


@dataclass(frozen=True)
class Prediction:
    """The mask that a network gives for one labelled object.

    Attributes:
        instance: the label that prompted it.
        rle: the mask on the whole image, COCO compressed run-length encoding.
        iou: the IoU that the network itself predicts for the mask.
    """

    instance: Instance
    rle: Rle
    iou: float

    def mask(self) -> NDArray[np.bool_]:
        """(H, W) bool in the image frame."""
        decoded: NDArray[np.bool_] = coco_mask.decode(self.rle).astype(bool)
        return decoded


def predict(
    segmenter: Segmenter,
    samples: Sequence[Sample],
    out: str | Path,
    *,
    prompt: PromptKind = "auto",
    seed: int = 0,
    tile: int | None = None,
    overlap: int = DEFAULT_OVERLAP,
    overlays: bool = True,
    overwrite: bool = False,
    on_image: Callable[[Sample], None] | None = None,
) -> Path:
    """Segments every labelled object of every image and writes the masks (see `predictions.PredictionFolder`).

    Args:
        samples: images with labels to prompt with; an image without any gets an empty map.
        out: folder to write to.
        prompt: which of the labels prompts.
        seed: of prompts that are drawn.
        tile, overlap: see `predict_image`.
        overlays: whether pictures are drawn.
        overwrite: whether an earlier prediction in the folder gives way to this one.
        on_image: called after each image, for a progress display.

    Returns:
        The path of the COCO JSON.

    Raises:
        WesamError: if an image cannot be read, a label does not hold what `prompt` asks for, the tiles cannot overlap
            so, or the folder cannot be written, or holds an earlier prediction or what would have to give way to
            this one. An earlier prediction is then as it was.
    """
    check_tiles(tile, overlap)
    weak = [weak_labels(sample, prompt, seed) for sample in samples]  # what cannot prompt is reported before all work
    with prediction_folder(Path(out), weak, overlays, overwrite) as folder:
        for prompted in weak:
            image = read_sample(prompted)
            predictions = predict_image(segmenter, image, prompted.instances, tile, overlap)
            folder.add(prompted, image, [p.rle for p in predictions], [p.iou for p in predictions])
            if on_image is not None:
                on_image(prompted)
    return folder.results


def predict_image(
    segmenter: Segmenter,
    image: NDArray[np.uint8],
    instances: Sequence[Instance],
    tile: int | None = None,
    overlap: int = DEFAULT_OVERLAP,
) -> list[Prediction]:
    """One mask for each instance, prompted by all that the instance carries.

    Memory is bounded whatever the number of instances: masks pass in small groups at full size and are kept
    as run-length encodings.

    Args:
        image: (H, W, 3) uint8 RGB.
        instances: labels in the image frame; weak ones, for a ground-truth mask would be a prompt too.
        tile: side, in pixels of the image, of square crops that are encoded one by one; None encodes the
            whole image at once. Objects that fit no tile are decoded on the whole image; so are, again, those that
            only have points, which do not tell how large they are, and whose mask is cut off by a side of its tile.
        overlap: least number of pixels that neighbouring tiles share.

    Returns:
        Predictions in the order of the instances.
    """
    return predict_sets(segmenter, image, [instances], tile, overlap)[0]


def predict_sets(
    segmenter: Segmenter,
    image: NDArray[np.uint8],
    sets: Sequence[Sequence[Instance]],
    tile: int | None = None,
    overlap: int = DEFAULT_OVERLAP,
) -> list[list[Prediction]]:
    """`predict_image` for several sets of prompts: each view is encoded once, and all sets decode the same features.

    Args:
        image, tile, overlap: as for `predict_image`.
        sets: each as `instances` of `predict_image`, such as boxes and clicks of the same objects.

    Returns:
        For each set its predictions, in the order of its instances.
    """
    height, width = image.shape[:2]
    predictions: list[dict[int, Prediction]] = [{} for _ in sets]

    def decode(crop: Crop, members: Mapping[int, Sequence[int]]) -> None:
        """Fills in the predictions of members, which are indices by set, from one view."""
        geometry = Geometry(crop, segmenter.input)
        features = encode_view(segmenter, image, geometry)
        for number, indices in members.items():
            instances = [sets[number][index] for index in indices]
            found = decode_instances(segmenter, features, instances, geometry, (height, width))
            predictions[number].update(zip(indices, found, strict=True))

    plan: dict[Crop, dict[int, list[int]]] = {}
    for number, instances in enumerate(sets):
        for crop, indices in plan_crops(width, height, instance_extents(instances), tile, overlap):
            plan.setdefault(crop, {})[number] = indices
    with inference(segmenter):
        cut_off: dict[int, list[int]] = {}
        for crop, members in plan.items():
            decode(crop, members)
            for number, indices in members.items():
                for index in indices:
                    instance, mask = sets[number][index], predictions[number][index].rle
                    if instance.box is None and instance.rle is None and is_cut_off(mask, crop, (width, height)):
                        cut_off.setdefault(number, []).append(index)
        if cut_off:
            decode((0, 0, width, height), cut_off)
    return [
        [found[index] for index in range(len(instances))] for found, instances in zip(predictions, sets, strict=True)
    ]


def decode_instances(
    segmenter: Segmenter,
    features: Features,
    instances: Sequence[Instance],
    geometry: Geometry,
    size: tuple[int, int],
    feeding: MaskFeeding | None = None,
) -> Iterator[Prediction]:
    """The masks of instances from the features of one view.

    Args:
        features: of `encode_view` with the same geometry.
        instances: labels in the image frame.
        size: height and width of the whole image.
        feeding: what masks among the labels are given as; None for the default.

    Yields:
        Predictions in the order of the instances.
    """
    for start in range(0, len(instances), _PROMPTS_AT_ONCE):
        members = instances[start : start + _PROMPTS_AT_ONCE]
        prompts = build_prompts(members, geometry, segmenter.mask_grid, feeding).to(features.device)
        index = torch.zeros(len(prompts), dtype=torch.long, device=features.device)
        decoded = segmenter.decode(features, prompts, index)
        encoded = full_size_masks(decoded.logits, geometry, size)
        for instance, rle, iou in zip(members, encoded, decoded.iou.tolist(), strict=True):
            yield Prediction(instance, rle, iou)
