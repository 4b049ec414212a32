"""What is needed of labels that serve as ground truth: masks to score against, and prompts made from them."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from pycocotools import mask as coco_mask

from wesam.errors import WesamError
from wesam.masks import Rle
from wesam.prompts.simulate import instance_generator, random_points
from wesam.prompts.simulated_set import SimulationSettings, simulate_set
from wesam.prompts.weak_labels import weak_labels
from wesam.types import Instance, Sample

#: What masks are scored with: a tight box, 5 + 5 points, one positive click, or a rough outline.
ScoredPrompt: TypeAlias = Literal["box", "point", "click", "mask"]
SCORED_PROMPTS: tuple[ScoredPrompt, ...] = get_args(ScoredPrompt)
#: As people read them: "with a box".
PROMPT_NAMES: dict[ScoredPrompt, str] = {
    "box": "a box",
    "point": "5 + 5 points",
    "click": "one click",
    "mask": "a rough mask",
}


def true_masks(sample: Sample) -> list[Rle]:
    """The masks of a sample, in the order of its instances.

    Raises:
        WesamError: if an instance has no mask.
    """
    masks = []
    for instance in sample.instances:
        if instance.rle is None:
            raise WesamError(
                f"{sample.id}: instance {instance.id}: expected a mask (segmentation) to score against, got none"
            )
        masks.append(instance.rle)
    return masks


def scorable(sample: Sample) -> Sample:
    """The sample without instances whose mask is empty: they can neither be prompted nor scored.

    Raises:
        WesamError: if an instance has no mask.
    """
    pairs = zip(sample.instances, true_masks(sample), strict=True)
    return sample.with_instances([instance for instance, rle in pairs if coco_mask.area(rle)])


def simulated_prompts(sample: Sample, prompt: ScoredPrompt, seed: int) -> tuple[Instance, ...]:
    """The weak label of each instance of a scorable sample, in order: never the true mask.

    All come from the masks, whatever boxes and points the labels hold beside them, so that all objects are prompted in
    the same way.

    ======  =====================================================================
    box     the tight box
    point   5 + 5 random points (see `prompts.weak_labels`)
    click   exactly one positive click, any pixel of the mask as likely as another
    mask    an outline of few corners (see `prompts.simulated_set`)
    ======  =====================================================================

    Args:
        sample: see `scorable`.
        prompt: as above.
        seed: of what is drawn. It depends on the ids of image and instance too, and on nothing else.

    Raises:
        WesamError: if the prompt is none of these. "auto" is not: where a label holds nothing but a mask, it would
            prompt with the very mask that is scored against.
    """
    if prompt not in SCORED_PROMPTS:
        raise WesamError(f"prompt: expected {', '.join(SCORED_PROMPTS)} where masks are scored, got {prompt}")
    if prompt == "mask":
        return simulate_set(sample, SimulationSettings(kind="mask"), seed).instances
    if prompt == "click":
        return tuple(_clicked(sample, instance, seed) for instance in sample.instances)
    masks = [Instance(instance.id, rle=instance.rle, category=instance.category) for instance in sample.instances]
    return weak_labels(sample.with_instances(masks), prompt, seed).instances


def _clicked(sample: Sample, instance: Instance, seed: int) -> Instance:
    generator = instance_generator(seed, sample.id, instance.id, "click")
    click = random_points(instance.mask(), generator, positives=1, negatives=0)
    return Instance(instance.id, points=click, category=instance.category)
