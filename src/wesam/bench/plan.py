"""How much work a table is: images, steps, seeds."""

from __future__ import annotations

from dataclasses import dataclass

from wesam.bench.target import Size


@dataclass(frozen=True)
class Plan:
    """What all cells of a call share.

    Attributes:
        size: images of a generated data set.
        real: images of a real one.
        steps: optimiser steps of an ordinary row.
        images: that a step takes.
        micro_batch: images that one process takes at once; W processes share the rest of a step.
        seeds: of rows with box prompts.
        other_seeds: of rows with other prompts.
        measure_every: steps between two looks at the signals of health.
        most_length: that a row may ask for, in units of `steps`.
        quick: whether it is a try: one data set and few prompts.
    """

    size: Size
    real: Size
    steps: int
    images: int
    micro_batch: int
    seeds: tuple[int, ...]
    other_seeds: tuple[int, ...]
    measure_every: int
    most_length: float = float("inf")
    quick: bool = False

    def length_of(self, asked: float) -> float:
        """Of a row that asks for a length."""
        return min(asked, self.most_length)

    def has_more_images(self, count: int, generated: bool) -> bool:
        """Whether a data set may have more images to adapt to than so many."""
        most = (self.size if generated else self.real).train
        return most is None or most > count

    def seeds_of(self, prompt: str) -> tuple[int, ...]:
        return self.seeds if prompt == "box" else self.other_seeds


#: What `make tables` runs on two cores.
FULL = Plan(
    size=Size(train=120, test=40),
    real=Size(train=None, test=None),
    steps=100,
    images=2,
    micro_batch=2,
    seeds=(0, 1, 2),
    other_seeds=(0,),
    measure_every=25,
)

#: To see that all runs, and roughly where it leads.
QUICK = Plan(
    size=Size(train=20, test=10),
    real=Size(train=20, test=10),
    steps=16,
    images=2,
    micro_batch=2,
    seeds=(0,),
    other_seeds=(0,),
    measure_every=8,
    most_length=2.0,
    quick=True,
)

#: What `--paper` runs on the real data sets.
PAPER = Plan(
    size=FULL.size,
    real=Size(train=None, test=None),
    steps=40_000,
    images=4,
    micro_batch=2,
    seeds=(0,),
    other_seeds=(0,),
    measure_every=1000,
)
