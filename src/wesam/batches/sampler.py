"""In which order images are seen: a function of the seed and the step alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from torch.utils.data import Sampler

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

Key = tuple[int, int]


class StepSampler(Sampler[list[Key]]):
    """A batch sampler of ``(epoch, index)`` keys for a fixed number of optimiser steps.

    Each epoch is a fresh shuffle of all items, and epochs follow one another without a gap, so every batch is
    full; the one that straddles two epochs can hold an item twice. Nothing is remembered between steps: a run
    that starts at step k sees exactly what the uninterrupted run sees from step k on.

    The micro-batches of a step are numbered through; process r of W takes each W-th one from r on. So W
    processes together see what one process with W times the accumulation sees, in the same order.

    Args:
        length: number of items of the data set.
        batch_size: items of one micro-batch of one process.
        steps: optimiser steps of the whole run.
        seed: of the shuffles.
        start_step: steps that are already done.
        rank, world: number of this process, and of processes.
        accumulation: micro-batches a process contributes to one optimiser step.

    Raises:
        ValueError: if a number is out of its range.
    """

    def __init__(
        self,
        length: int,
        batch_size: int,
        steps: int,
        seed: int,
        start_step: int = 0,
        rank: int = 0,
        world: int = 1,
        accumulation: int = 1,
    ) -> None:
        if min(length, batch_size, world, accumulation) < 1:
            raise ValueError(
                f"expected length, batch_size, world and accumulation of at least 1, "
                f"got {(length, batch_size, world, accumulation)}"
            )
        if not 0 <= rank < world or not 0 <= start_step <= steps:
            raise ValueError(
                f"expected 0 <= rank < world and 0 <= start_step <= steps, "
                f"got rank={rank}, world={world}, start_step={start_step}, steps={steps}"
            )
        self.length = length
        self.batch_size = batch_size
        self.steps = steps
        self.seed = seed
        self.start_step = start_step
        self.rank = rank
        self.world = world
        self.accumulation = accumulation

    def __len__(self) -> int:
        """Micro-batches of this process that are left."""
        return (self.steps - self.start_step) * self.accumulation

    def __iter__(self) -> Iterator[list[Key]]:
        shuffled_epoch, order = -1, np.empty(0, np.int64)
        first = self.start_step * self.accumulation
        for micro_batch in range(first, first + len(self)):
            start = (micro_batch * self.world + self.rank) * self.batch_size
            keys = []
            for position in range(start, start + self.batch_size):
                epoch, place = divmod(position, self.length)
                if epoch != shuffled_epoch:
                    shuffled_epoch, order = epoch, self._order(epoch)
                keys.append((epoch, int(order[place])))
            yield keys

    def _order(self, epoch: int) -> NDArray[np.int64]:
        return np.random.default_rng([self.seed, epoch]).permutation(self.length)
