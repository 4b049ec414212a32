"""Which of its labels an instance is prompted with; the rest is taken away, so that nothing can leak."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from pycocotools import mask as coco_mask

from wesam.errors import WesamError
from wesam.masks import mask_box
from wesam.prompts.simulate import instance_generator, random_points
from wesam.types import Instance, Sample

PromptKind = Literal["auto", "box", "point", "mask"]


def weak_labels(sample: Sample, kind: PromptKind, seed: int = 0) -> Sample:
    """The sample with only the labels that a kind of prompt is allowed to see.

    ======  =====================================================================
    auto    the box and the points, else the mask
    box     the box, else the tight box of the mask
    point   the points, else 5 + 5 random ones from the mask
    mask    the mask (polygon, brush)
    ======  =====================================================================

    What is there is given as it is. Nothing is made coarser: that is for ground truth alone, which a benchmark
    must not prompt with as it is (`simulated_set`). What is drawn from a mask depends on the seed, the sample's
    id and the instance's id alone, so it is the same in every epoch, in every process and beside whatever other
    instances. Instances whose mask is needed and empty are left out.

    Args:
        sample: an image with its labels.
        kind: as above.
        seed: of the random points.

    Raises:
        WesamError: if an instance carries none of the labels that the kind can be made from.
    """
    weak = (_weak_instance(sample, instance, kind, seed) for instance in sample.instances)
    return sample.with_instances([instance for instance in weak if instance is not None])


def boxes_for_masks(sample: Sample) -> Sample:
    """The sample with the box of its mask for each object whose label holds nothing else."""
    return sample.with_instances([_boxed(instance) for instance in sample.instances])


def _boxed(instance: Instance) -> Instance:
    if instance.rle is None or instance.box is not None or instance.points or not coco_mask.area(instance.rle):
        return instance
    return replace(instance, box=mask_box(instance.rle), rle=None)


def _weak_instance(sample: Sample, instance: Instance, kind: PromptKind, seed: int) -> Instance | None:
    """None if the instance's mask is needed and empty."""
    box = instance.box if kind in ("auto", "box") else None
    points = instance.points if kind in ("auto", "point") else ()
    if box is not None or points:
        return Instance(instance.id, box=box, points=points, category=instance.category)
    if instance.rle is None:
        needed = {"box": "a box or a mask", "point": "points or a mask", "mask": "a mask (segmentation)"}[kind]
        raise WesamError(
            f"{sample.id}: instance {instance.id}: expected {needed} for the prompt {kind!r}, got {_labels(instance)}"
        )
    if not coco_mask.area(instance.rle):
        return None
    if kind == "box":
        return Instance(instance.id, box=mask_box(instance.rle), category=instance.category)
    if kind == "point":
        drawn = random_points(instance.mask(), instance_generator(seed, sample.id, instance.id))
        return Instance(instance.id, points=drawn, category=instance.category)
    return Instance(instance.id, rle=instance.rle, category=instance.category)


def _labels(instance: Instance) -> str:
    return " and ".join(name for name, label in (("a box", instance.box), ("points", instance.points)) if label)
