"""Which objects of a set have a mask that can be learned from as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pycocotools import mask as coco_mask

from wesam.masks import mask_box

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wesam.types import Instance, Sample


def has_known_mask(instance: Instance) -> bool:
    """Whether somebody drew the mask of an object.

    A mask that a network made is no truth (`Instance.guessed`). One that fills its box says no more than the box, and
    is most likely nothing else: many tools write the four corners of a box as a polygon.
    """
    if instance.rle is None or instance.guessed:
        return False
    x0, y0, x1, y1 = mask_box(instance.rle)
    return 0 < int(coco_mask.area(instance.rle)) < (x1 - x0) * (y1 - y0)


def known_masks(samples: Sequence[Sample]) -> list[Sample]:
    """The images with objects whose masks are known, each with these objects alone."""
    found = [
        sample.with_instances([instance for instance in sample.instances if has_known_mask(instance)])
        for sample in samples
    ]
    return [sample for sample in found if sample.instances]


def count_known(masks: Sequence[Sample], samples: Sequence[Sample]) -> str:
    """In words, how many objects of a set have masks that are learned from.

    Args:
        masks: as of `known_masks`.
        samples: the whole set.
    """
    known, objects = (sum(len(sample.instances) for sample in some) for some in (masks, samples))
    return (
        f"{known} of {objects} objects have masks: they are learned from as they are "
        f"(where outlines are rough: --prompt mask, or --prompt box)"
    )
