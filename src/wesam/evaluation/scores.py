"""What an evaluation found: validated, and the same on disk as in memory."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, PlainSerializer

from wesam.atomic import replaced_file
from wesam.evaluation.bootstrap import Interval, paired_interval
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
        by_size: for each of COCO's sizes that occurs (see `metrics.Overlap.size`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    miou: float
    dice: float
    by_size: dict[Size, SizeScore]


class ImageScore(BaseModel):
    """Means over one image's instances, for each method."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sample_id: Name
    instances: int
    iou: dict[Method, float]
    dice: dict[Method, float]


class Evaluation(BaseModel):
    """The whole result of `evaluate.evaluate`.

    Attributes:
        segmenter: name of the source model.
        prompt, seed, tile, overlap: how it was asked.
        methods: scores of each method that was asked for; "source" is the model before adaptation (or the one
            model, where it has no adapter), "adapted" the one after it.
        difference: adapted - source in mIoU, paired over images; None unless both were scored.
        images: one row an image that has instances, in the order given.
        skipped_images, skipped_instances: images without objects, and empty masks, which no score counts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    segmenter: Name
    prompt: str
    seed: int
    tile: int | None
    overlap: int
    methods: dict[Method, MethodScore]
    difference: Interval | None
    images: list[ImageScore]
    skipped_images: int
    skipped_instances: int

    @property
    def judged(self) -> Method:
        """The method that a user would go on with: the adapted model where there is one."""
        return "adapted" if "adapted" in self.methods else "source"

    @property
    def instances(self) -> int:
        return sum(row.instances for row in self.images)

    @property
    def beaten_by(self) -> list[Method]:
        """Answers without a network that score higher than the judged model, the best first."""
        own = self.methods[self.judged].miou
        better = [name for name in TRIVIAL_METHODS if name in self.methods and self.methods[name].miou > own]
        return sorted(better, key=lambda name: -self.methods[name].miou)

    def write(self, folder: Path) -> None:
        """Writes `evaluation.json` (all of this) and `images.csv` (one row an image)."""
        with replaced_file(folder / "evaluation.json") as partial:
            partial.write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")
        methods = list(self.methods)
        with (
            replaced_file(folder / "images.csv") as partial,
            partial.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
        ):
            table = csv.writer(file)
            table.writerow(["image", "instances", *(f"{m}_{score}" for score in ("iou", "dice") for m in methods)])
            for row in self.images:
                scores = [row.iou[m] for m in methods] + [row.dice[m] for m in methods]
                table.writerow([row.sample_id, row.instances, *(f"{score:.6f}" for score in scores)])


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
        by_size=by_size,
    )


def source_difference(images: Sequence[ImageScore], seed: int) -> Interval | None:
    """Adapted - source in mIoU with its interval; None unless both were scored."""
    if not images or not {"source", "adapted"} <= images[0].iou.keys():
        return None
    return paired_interval([row.iou["source"] for row in images], [row.iou["adapted"] for row in images], seed=seed)
