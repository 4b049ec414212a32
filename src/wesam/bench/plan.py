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
    quick: bool = False

    def seeds_of(self, prompt: str) -> tuple[int, ...]:
        return self.seeds if prompt == "box" else self.other_seeds


#: What `make tables` runs on two cores.
FULL = Plan(
    size=Size(train=80, test=60),
    real=Size(train=None, test=None),
    steps=200,
    images=4,
    micro_batch=2,
    seeds=(0, 1, 2),
    other_seeds=(0,),
    measure_every=40,
)

#: To see that all runs, and roughly where it leads.
QUICK = Plan(
    size=Size(train=20, test=10),
    real=Size(train=20, test=10),
    steps=24,
    images=2,
    micro_batch=2,
    seeds=(0,),
    other_seeds=(0,),
    measure_every=12,
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
