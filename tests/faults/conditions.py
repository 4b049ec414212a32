"""What a run is put under from within its process, before it begins."""

from __future__ import annotations

import math
import resource
from pathlib import Path

import torch

from wesam import adaptation
from wesam.batches import dataset
from wesam.batches.batch import Batch
from wesam.methods.wesam import Wesam


def little_memory(mebibytes: int) -> None:
    """The address space ends so much above what is taken when training begins.

    An allocator that takes address space in advance, such as tcmalloc, has no such end. oneDNN is left out, as its
    convolutions crash where they are refused memory.
    """
    torch.backends.mkldnn.enabled = False  # type: ignore[assignment]
    train = adaptation.train

    def limited(*arguments: object, **options: object) -> object:
        size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        limit = size + mebibytes * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        return train(*arguments, **options)  # type: ignore[arg-type]

    adaptation.train = limited  # type: ignore[assignment]


def images_not_kept() -> None:
    """Each image is read anew whenever it is seen, as in a set that memory does not hold."""
    dataset._BYTES_KEPT = 0


def not_finite(image: str | None, from_progress: float = 0.0) -> None:
    """The loss is NaN where an image is in the batch (None: whatever is), from a share of the run's steps on."""
    forward = Wesam.forward

    def poisoned(self: Wesam, batch: Batch) -> dict[str, torch.Tensor]:
        losses = forward(self, batch)
        if self.progress >= from_progress and (image is None or image in batch.sample_ids):
            losses["total"] = losses["total"] * math.nan
        return losses

    Wesam.forward = poisoned  # type: ignore[method-assign]
