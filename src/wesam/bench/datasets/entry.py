"""What is known of a data set before any file is opened: where it comes from, how it lies on disk, how it is split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from wesam.labels.label_set import LabelSet
from wesam.labels.problems import Problem
from wesam.types import Sample

Shift = Literal["natural", "corrupted", "medical", "camouflaged", "robotic", "own"]


@dataclass(frozen=True)
class Recipe:
    """The paper's run on a data set (arXiv 2312.03502, section 4, and its authors' public configuration).

    Only the configuration for COCO is public; the other data sets are taken to share it.

    Attributes:
        prompts: that the tables report.
        steps: optimiser steps.
        learning_rate: of Adam.
        images: images a step.
        most_objects: objects of an image that one step takes at most.
    """

    prompts: tuple[str, ...] = ("box", "point", "mask")
    steps: int = 40_000
    learning_rate: float = 1e-4
    images: int = 4
    most_objects: int = 40


class Part(Protocol):
    """Images with masks in one place of a data set's folder."""

    def read(self, root: Path, variant: str) -> LabelSet:
        """The images in the order that a split counts, their ids relative to `root`, and every problem.

        Args:
            root: the data set's folder.
            variant: which version of the images, "" for the only one.
        """


@dataclass(frozen=True)
class Halves:
    """What a split makes of a data set.

    Attributes:
        train: images to adapt to.
        test: images to score on.
        images: how many there were before any was left out.
        problems: all that was found on the way.
    """

    train: tuple[Sample, ...]
    test: tuple[Sample, ...]
    images: int
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class Official:
    """The split that the data set's own authors made."""

    train: Part
    test: Part

    def read(self, root: Path, variant: str) -> Halves:
        train, test = self.train.read(root, variant), self.test.read(root, variant)
        images = len(train.samples) + len(test.samples)
        return Halves(train.samples, test.samples, images, train.problems + test.problems)

    def __str__(self) -> str:
        return "official"


@dataclass(frozen=True)
class Turns:
    """`train` images to adapt to, then one to score on, and so on in order: the split of the paper's authors.

    Attributes:
        whole: all images.
        train: how many images come before each that is scored on.
        skip_empty: whether images without an object are left out before counting, not after.
    """

    whole: Part
    train: int
    skip_empty: bool = False

    def read(self, root: Path, variant: str) -> Halves:
        found = self.whole.read(root, variant)
        samples = [sample for sample in found.samples if sample.instances or not self.skip_empty]
        turn = self.train + 1
        test = tuple(samples[self.train :: turn])
        train = tuple(sample for place, sample in enumerate(samples) if place % turn != self.train)
        return Halves(train, test, len(found.samples), found.problems)

    def __str__(self) -> str:
        return f"{self.train} : 1 in turn"


@dataclass(frozen=True)
class Dataset:
    """A data set that `wesam bench` can run on.

    Attributes:
        name: as the command line calls it.
        title: as its authors call it.
        shift: what parts it from the images that SAM learnt from.
        source: where to get it.
        terms: what its owners allow.
        layout: files and folders that must be there, relative to its folder.
        objects: how instances come from its masks.
        split: of the images.
        images: how many it has as published, images without an object included; None where that is not known.
        variants: versions of its images that share the labels; "{variant}" in `layout` stands for one.
        recipe: of the paper's run.
    """

    name: str
    title: str
    shift: Shift
    source: str
    terms: str
    layout: tuple[str, ...]
    objects: str
    split: Official | Turns
    images: int | None = None
    variants: tuple[str, ...] = ()
    recipe: Recipe = Recipe()
