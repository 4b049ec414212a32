"""What is asked of labels that serve as ground truth: masks to score against, and prompts made from them."""

from __future__ import annotations

from pycocotools import mask as coco_mask

from wesam.errors import WesamError
from wesam.masks import Rle
from wesam.prompts.simulated_set import SimulationSettings, simulate_set
from wesam.prompts.weak_labels import PromptKind, weak_labels
from wesam.types import Instance, Sample


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
    """The sample without instances whose mask is empty: nothing can be asked or scored about them.

    Raises:
        WesamError: if an instance has no mask.
    """
    pairs = zip(sample.instances, true_masks(sample), strict=True)
    return sample.with_instances([instance for instance, rle in pairs if coco_mask.area(rle)])


def simulated_prompts(sample: Sample, prompt: PromptKind, seed: int) -> tuple[Instance, ...]:
    """The weak label of each instance of a scorable sample, in order: never the true mask.

    All come from the masks, whatever boxes and points the labels hold beside them: a tight box, 5 + 5 points (see
    `prompts.weak_labels`), or for "mask" an outline of few corners (see `prompts.simulated_set`). So all objects are
    asked about in the same way.

    Raises:
        WesamError: if the prompt is "auto": where a label holds nothing but a mask, that would prompt with the
            very mask that is scored against.
    """
    if prompt == "auto":
        raise WesamError("prompt: expected box, point or mask where ground truth is scored, got auto")
    if prompt == "mask":
        return simulate_set(sample, SimulationSettings(kind="mask"), seed).instances
    masks = [Instance(instance.id, rle=instance.rle, category=instance.category) for instance in sample.instances]
    return weak_labels(sample.with_instances(masks), prompt, seed).instances
