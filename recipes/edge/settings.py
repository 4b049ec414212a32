"""What a run depends on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

#: About 115 ms an image on one core, all told.
_IMAGES_A_MINUTE = 520


@dataclass(frozen=True)
class Settings:
    """The same settings give the same weights on the same machine, however often the run was interrupted.

    Attributes:
        steps: optimiser steps in all; the schedule depends on it.
        images, instances: images a step, instances an image: half asked by box, half by points.
        seed: of weights and batches.
        shards, shard_scenes: of the pool of source scenes, drawn ahead with the same seed.
        warm_batches: batches that the neck is fitted on.
        probe_scenes: held-out scenes of each probe, and twice the images of each dataset; 0 probes nothing.
        probe_every, log_every, save_minutes: when to report, and how often to keep a checkpoint.
        datasets: COCO datasets whose test masks are reported, and neither learnt from nor used to choose.
    """

    steps: int = 6500
    images: int = 8
    instances: int = 8
    seed: int = 0
    shards: int = 64
    shard_scenes: int = 256
    warm_batches: int = 12
    probe_scenes: int = 48
    probe_every: int = 600
    log_every: int = 100
    save_minutes: float = 10
    datasets: dict[str, Path] = field(default_factory=dict)

    @classmethod
    def for_minutes(cls, minutes: float) -> Settings:
        """As many steps as one core takes in that time, about."""
        return cls(steps=max(1, round(minutes * _IMAGES_A_MINUTE / cls.images)))

    def quick(self) -> Settings:
        """All parts of the recipe within a minute: shows that they work together, not a model."""
        return replace(self, steps=6, shards=1, shard_scenes=16, images=2, warm_batches=8, probe_scenes=4)

    def identity(self) -> dict[str, int]:
        """What a run that was begun cannot change; `steps` it may, as long as the rate is on its plateau."""
        names = ("images", "instances", "seed", "shards", "shard_scenes", "warm_batches")
        return {name: getattr(self, name) for name in names}
