"""What an evaluation found: validated, and the same on disk as in memory."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, PlainSerializer

from wesam.atomic import replaced_file
from wesam.evaluation.bootstrap import Interval, paired_interval
from wesam.evaluation.ground_truth import ScoredPrompt
from wesam.evaluation.metrics import SIZES, Overlap, Size, mean_over_images

Method: TypeAlias = Literal["source", "adapted", "box", "ellipse", "grabcut"]
TRIVIAL_METHODS: tuple[Method, ...] = ("box", "ellipse", "grabcut")

# A file's name, whose bytes need be no text: then it is written with escapes, as no file of text could hold it.
Name = Annotated[str, PlainSerializer(lambda name: name.encode(errors="backslashreplace").decode())]


class SizeScore(BaseModel):
    """Scores over the objects of one size alone: the mean over the images that have such objects."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    iou: float
    dice: float
    instances: int
    images: int


class MethodScore(BaseModel):
    """Scores of one method, in [0, 1]: means over images of the mean over each image's instances.

    Attributes:
        miou, dice: over all objects.
        boundary_iou: the same of boundary IoU (see `boundary`); None where it was not measured.
        by_size: for each of COCO's sizes that occurs (see `metrics.Overlap.size`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    miou: float
    dice: float
    boundary_iou: float | None = None
    by_size: dict[Size, SizeScore]


class ImageScore(BaseModel):
    """Means over one image's instances, for each method; `boundary_iou` is empty where it was not measured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sample_id: Name
    instances: int
    iou: dict[Method, float]
    dice: dict[Method, float]
    boundary_iou: dict[Method, float] = {}


class PromptScores(BaseModel):
    """What was found with one kind of prompt.

    Attributes:
        methods: scores of each method that was asked for; "source" is the model before adaptation (or the one
            model, where it has no adapter), "adapted" the one after it. The other methods need no network and
            have the object's box, whatever the prompt.
        difference: adapted - source in mIoU, paired over images; None unless both were scored.
        images: one row an image that has instances, in the order given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    methods: dict[Method, MethodScore]
    difference: Interval | None
    images: list[ImageScore]

    @property
    def judged(self) -> Method:
        """The method that a user would go on with: the adapted model where there is one."""
        return "adapted" if "adapted" in self.methods else "source"

    @property
    def beaten_by(self) -> list[Method]:
        """Methods without a network that score higher than the judged model, the best first."""
        own = self.methods[self.judged].miou
        better = [name for name in TRIVIAL_METHODS if name in self.methods and self.methods[name].miou > own]
        return sorted(better, key=lambda name: -self.methods[name].miou)


class AutomaticScore(BaseModel):
    """What a model finds without any prompt, at an IoU of 0.5 (see `automatic.PromptScore`).

    Attributes:
        recall: fraction of the objects that are found.
        precision: fraction of the masks that are right; None where there are none. Where not every object is labelled,
            a lower bound.
        objects, masks: how many there are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    recall: float
    precision: float | None
    objects: int
    masks: int


class Evaluation(BaseModel):
    """The whole result of `evaluate.evaluate`.

    Attributes:
        segmenter: name of the source model.
        seed, tile, overlap: of all prompts.
        prompts: what was found, for each kind of prompt that was asked for; at least one.
        automatic: what source and adapted model find without prompts; empty where that was not asked for.
        skipped_images, skipped_instances: images without objects, and empty masks, which no score counts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    segmenter: Name
    seed: int
    tile: int | None
    overlap: int
    prompts: dict[ScoredPrompt, PromptScores]
    automatic: dict[Method, AutomaticScore] = {}
    skipped_images: int
    skipped_instances: int

    @property
    def first(self) -> PromptScores:
        """Of the first kind of prompt. What does not depend on the prompt can be read here."""
        return next(iter(self.prompts.values()))

    @property
    def images(self) -> int:
        """How many images were scored."""
        return len(self.first.images)

    @property
    def instances(self) -> int:
        """How many objects were scored."""
        return sum(row.instances for row in self.first.images)

    def miou(self) -> dict[ScoredPrompt, dict[Method, float]]:
        """mIoU by prompt and method."""
        return {
            prompt: {name: score.miou for name, score in scores.methods.items()}
            for prompt, scores in self.prompts.items()
        }

    def write(self, folder: Path) -> None:
        """Writes `evaluation.json` (all of this) and `images.csv` (one row an image and kind of prompt)."""
        with replaced_file(folder / "evaluation.json") as partial:
            partial.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")
        methods = list(self.first.methods)
        columns = [f"{method}_{score}" for score in ("iou", "dice") for method in methods]
        with (
            replaced_file(folder / "images.csv") as partial,
            partial.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
        ):
            table = csv.writer(file)
            table.writerow(["image", "prompt", "instances", *columns])
            for prompt, found in self.prompts.items():
                for row in found.images:
                    scores = [row.iou[m] for m in methods] + [row.dice[m] for m in methods]
                    cells = (f"{score:.6f}" for score in scores)
                    table.writerow([row.sample_id, prompt, row.instances, *cells])


def image_score(sample_id: str, overlaps: Mapping[Method, Sequence[Overlap]]) -> ImageScore:
    """The row of one image.

    Args:
        overlaps: for each method one overlap an instance, at least one.
    """
    return ImageScore(
        sample_id=sample_id,
        instances=len(next(iter(overlaps.values()))),
        iou={method: mean_over_images([[o.iou for o in each]]) for method, each in overlaps.items()},
        dice={method: mean_over_images([[o.dice for o in each]]) for method, each in overlaps.items()},
        boundary_iou={
            method: mean for method, each in overlaps.items() if (mean := _mean_boundary([each])) is not None
        },
    )


def method_score(images: Sequence[Sequence[Overlap]]) -> MethodScore:
    """The scores of one method.

    Args:
        images: for each image one overlap an instance; at least one instance in all.
    """
    by_size = {}
    for size in SIZES:
        of_size = [[o for o in image if o.size == size] for image in images]
        count = sum(len(image) for image in of_size)
        if count:
            by_size[size] = SizeScore(
                iou=mean_over_images([o.iou for o in image] for image in of_size),
                dice=mean_over_images([o.dice for o in image] for image in of_size),
                instances=count,
                images=sum(bool(image) for image in of_size),
            )
    return MethodScore(
        miou=mean_over_images([o.iou for o in image] for image in images),
        dice=mean_over_images([o.dice for o in image] for image in images),
        boundary_iou=_mean_boundary(images),
        by_size=by_size,
    )


def _mean_boundary(images: Sequence[Sequence[Overlap]]) -> float | None:
    """Boundary IoU as `mean_over_images` has it; None where it was not measured."""
    measured = [[o.boundary for o in image if o.boundary is not None] for image in images]
    return mean_over_images(measured) if any(measured) else None


def source_difference(images: Sequence[ImageScore], seed: int) -> Interval | None:
    """Adapted - source in mIoU with its interval; None unless both were scored."""
    if not images or not {"source", "adapted"} <= images[0].iou.keys():
        return None
    return paired_interval([row.iou["source"] for row in images], [row.iou["adapted"] for row in images], seed=seed)
