"""A pool of scenes drawn ahead to disk, so that training never waits for the painter.

A shard is a pair of arrays: `NNNN.images.npy` (n, S, S, 3) uint8 and `NNNN.labels.npy`
(n, S, S) uint8, beside `NNNN.parents.json`. Labels and parents keep nested instances in a byte a pixel.
Shards are written to a temporary name and renamed, so a reader never meets half of one.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from wesam.errors import WesamError
from wesam.generated.scenes import draw

_MARKER = ".parents.json"


def shard_names(folder: Path) -> list[str]:
    """The shards that a folder holds whole, in order; [] where there is no folder."""
    return sorted(marker.name.removesuffix(_MARKER) for marker in folder.glob(f"*{_MARKER}"))


def draw_shard(shard: int, folder: Path, family: str, seed: int, count: int, size: int) -> Path:
    """Draw scenes [shard * count, (shard + 1) * count) of a family; a shard that exists is kept."""
    cv2.setNumThreads(1)
    marker = folder / f"{shard:04d}{_MARKER}"
    if marker.exists():
        return marker
    folder.mkdir(parents=True, exist_ok=True)
    images = np.empty((count, size, size, 3), np.uint8)
    labels = np.empty((count, size, size), np.uint8)
    parents: list[list[int]] = []
    for i in range(count):
        images[i], canvas = draw(family, seed, shard * count + i, size)
        labels[i] = canvas.labels
        parents.append(canvas.parents)
    np.save(folder / f"{shard:04d}.images.npy", images)
    np.save(folder / f"{shard:04d}.labels.npy", labels)
    temporary = marker.with_suffix(".part")
    temporary.write_text(json.dumps(parents))
    temporary.rename(marker)  # last, so that the marker vouches for the arrays
    return marker


def draw_pool(
    folder: Path,
    shards: int,
    *,
    family: str = "source",
    seed: int = 0,
    count: int = 256,
    size: int = 256,
    workers: int = 2,
) -> None:
    """Draw a pool with several processes; what is there already is kept.

    Raises:
        WesamError: if what is there has other shards.
    """
    if shard_names(folder):
        Pool(folder).expect(count, size)
    if workers == 1:  # no processes to start
        for shard in range(shards):
            draw_shard(shard, folder, family, seed, count, size)
        return
    job = partial(draw_shard, folder=folder, family=family, seed=seed, count=count, size=size)
    started = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(workers) as processes:
        for done, _ in enumerate(processes.imap_unordered(job, range(shards)), 1):
            rate = done * count / (time.perf_counter() - started)
            print(f"{done}/{shards} shards, {rate:.0f} scenes/s", flush=True)


@dataclass
class _Shard:
    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    parents: list[list[int]]


class Pool:
    """Reads scenes of a pool by number, memory-mapped.

    Attributes:
        names: shards present when the pool was opened, in order.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names = shard_names(folder)
        if not self.names:
            raise WesamError(f"pool {folder}: expected shards NNNN.parents.json, got none; draw it first")
        self._open: dict[str, _Shard] = {}

    @cached_property
    def shard_size(self) -> int:
        """Scenes in each shard."""
        return len(self._shard(self.names[0]).parents)

    def expect(self, shard_scenes: int, size: int) -> None:
        """Raises WesamError if the shards are of another length, or the scenes of another side in pixels."""
        for what, expected, got in (
            ("scenes a shard", shard_scenes, self.shard_size),
            ("pixels a side", size, self._shard(self.names[0]).images.shape[1]),
        ):
            if expected != got:
                raise WesamError(f"pool {self.folder}: expected {expected} {what}, got {got}; give another folder")

    def __len__(self) -> int:
        return len(self.names) * self.shard_size

    def _shard(self, name: str) -> _Shard:
        if name not in self._open:
            self._open[name] = _Shard(
                np.load(self.folder / f"{name}.images.npy", mmap_mode="r"),
                np.load(self.folder / f"{name}.labels.npy", mmap_mode="r"),
                json.loads((self.folder / f"{name}.parents.json").read_text()),
            )
        return self._open[name]

    def __getitem__(self, index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8], list[int]]:
        """Image (S, S, 3) uint8, labels (S, S) uint8, parents."""
        shard = self._shard(self.names[index // self.shard_size])
        i = index % self.shard_size
        return np.array(shard.images[i]), np.array(shard.labels[i]), shard.parents[i]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Draw a pool of scenes ahead.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shards", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    draw_pool(options.folder, options.shards, seed=options.seed, workers=options.workers)
