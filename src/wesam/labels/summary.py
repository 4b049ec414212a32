"""What a labelled set holds, in the few numbers that decide how to adapt to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from pycocotools import mask as coco_mask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wesam.types import Instance, Sample

# An encoder cuts its input into patches of 16 px (Kirillov et al. 2023, arXiv 2304.02643): an object smaller
# than one has less than one feature vector to itself. Tiles are proposed that make the median object two wide.
PATCH = 16


@dataclass(frozen=True)
class Summary:
    """Counts and sizes of usable images and instances.

    Attributes:
        images, instances: how many.
        boxes, points, masks: how many instances carry that kind of label; one may carry several.
        object_px: 10th, 50th and 90th percentile of the objects' size in pixels of the image, the square root
            of the area of their box; None if no instance has an extent (points alone).
    """

    images: int
    instances: int
    boxes: int
    points: int
    masks: int
    object_px: tuple[float, float, float] | None

    def __str__(self) -> str:
        kinds = f"{self.boxes} boxes, {self.points} with points, {self.masks} masks"
        text = f"{self.images} images, {self.instances} instances ({kinds})"
        if self.object_px is None:
            return text
        small, median, large = self.object_px
        return f"{text}; objects of {median:.0f} px (median; most between {small:.0f} and {large:.0f})"


def summarise(samples: Sequence[Sample]) -> Summary:
    """Counts what `samples` hold."""
    instances = [instance for sample in samples for instance in sample.instances]
    sizes = [size for instance in instances if (size := _size(instance)) is not None]
    percentiles = np.percentile(sizes, (10, 50, 90)).tolist() if sizes else None
    return Summary(
        images=len(samples),
        instances=len(instances),
        boxes=sum(instance.box is not None for instance in instances),
        points=sum(bool(instance.points) for instance in instances),
        masks=sum(instance.rle is not None for instance in instances),
        object_px=tuple(percentiles) if percentiles else None,
    )


def tiny_object_hint(samples: Sequence[Sample], input_size: int) -> str | None:
    """Advice if the median object is smaller than one patch of the encoder, otherwise None.

    Args:
        samples: the images, each resized so that its longest side is `input_size`.
        input_size: side of the encoder's input in pixels.
    """
    scaled = [
        (size * input_size / max(sample.width, sample.height), size)
        for sample in samples
        for instance in sample.instances
        if (size := _size(instance)) is not None
    ]
    if not scaled:
        return None
    on_input, on_image = np.median(scaled, axis=0)
    if on_input >= PATCH:
        return None
    tile = max(PATCH, int(on_image * input_size / (2 * PATCH)) // PATCH * PATCH)
    return (
        f"the median object is {on_input:.0f} px on the encoder's {input_size}-px input, "
        f"less than one {PATCH}-px patch; consider --tile {tile}"
    )


def _size(instance: Instance) -> float | None:
    """Square root of the area of the object's box, in pixels of the image."""
    if instance.box is not None:
        x0, y0, x1, y1 = instance.box
        return float(np.sqrt((x1 - x0) * (y1 - y0)))
    if instance.rle is not None:
        _, _, width, height = coco_mask.toBbox(instance.rle)
        return float(np.sqrt(width * height))
    return None
