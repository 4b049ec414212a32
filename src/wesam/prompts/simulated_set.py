"""A whole set's weak labels as people would have drawn them, good or sloppy, made from masks (for benchmarks)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from wesam.prompts.simulate import (
    coarse_polygon,
    instance_generator,
    jittered_box,
    misplaced_box,
    random_points,
    tight_box,
)
from wesam.types import Instance, Sample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SimulatedKind = Literal["box", "point", "mask"]


class SimulationSettings(BaseModel):
    """What the people who label are like. The defaults are the paper's careful ones (WeSAM, arXiv 2312.03502)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: SimulatedKind = Field(default="box", description="box: around the mask; point: clicks; mask: an outline")
    box_jitter: float = Field(
        default=0.0, ge=0, lt=0.5, description="each edge of a box is off by up to this fraction of the box's side"
    )
    positives: int = Field(default=5, ge=0, description="clicks on the object (paper: 5)")
    negatives: int = Field(default=5, ge=0, description="clicks off it, anywhere in the image (paper: 5)")
    max_vertices: int = Field(default=8, ge=3, description="most corners of an outline (chosen here)")
    missing: float = Field(default=0.0, ge=0, le=1, description="fraction of objects that nobody labelled")
    wrong: float = Field(
        default=0.0, ge=0, le=1, description="fraction of boxes, of those drawn, that lie somewhere else in the image"
    )

    @model_validator(mode="after")
    def _can_be_simulated(self) -> SimulationSettings:
        if self.kind == "point" and self.positives + self.negatives == 0:
            raise ValueError("expected at least one click, got positives=0 and negatives=0")
        if self.kind != "box" and (self.wrong or self.box_jitter):
            raise ValueError(f"wrong and box_jitter are of boxes: expected kind box with them, got {self.kind}")
        return self


def simulate_set(sample: Sample, settings: SimulationSettings, seed: int) -> Sample:
    """The sample with labels simulated from its masks, and nothing of the masks themselves.

    All draws belong to the seed and the ids of image and instance, and each purpose has a stream of its own: what
    is missing with a share of 0.1 is missing with 0.3 too, and what is left looks the same.

    Args:
        sample: an image whose instances all carry masks; empty masks are left out.
        settings: as above.
        seed: of all draws.

    Raises:
        WesamError: if an instance has no mask.
    """
    labelled = []
    for instance in sample.instances:
        mask = instance.mask()
        sloppiness = instance_generator(seed, sample.id, instance.id, "sloppiness")
        missing, wrong = sloppiness.uniform(0, 1, 2)
        if not mask.any() or missing < settings.missing:
            continue
        label = simulate_label(sample, instance, mask, settings, seed)
        if label.box is not None and wrong < settings.wrong:
            elsewhere = misplaced_box(label.box, sample.width, sample.height, sloppiness)
            label = Instance(label.id, box=elsewhere, category=label.category)
        labelled.append(label)
    return sample.with_instances(labelled)


def simulate_label(
    sample: Sample, instance: Instance, mask: NDArray[np.bool_], settings: SimulationSettings, seed: int
) -> Instance:
    """The one label of a kind that somebody would have given an object.

    Args:
        sample: the image it lies in.
        instance: the object; its id and category stay.
        mask: (H, W) bool, not empty.
        settings: what to draw.
        seed: of the draws.
    """
    if settings.kind == "point":
        generator = instance_generator(seed, sample.id, instance.id)
        points = random_points(mask, generator, settings.positives, settings.negatives)
        return Instance(instance.id, points=points, category=instance.category)
    if settings.kind == "mask":
        return Instance(instance.id, rle=coarse_polygon(mask, settings.max_vertices), category=instance.category)
    box = tight_box(mask)
    if settings.box_jitter:
        generator = instance_generator(seed, sample.id, instance.id, "box")
        box = jittered_box(box, sample.width, sample.height, generator, settings.box_jitter)
    return Instance(instance.id, box=box, category=instance.category)
