"""Small batches, and a tiny SAM whose adapter has already learned something."""

from __future__ import annotations

from dataclasses import replace

import torch

from tests.tiny import tiny_segmenter
from wesam.batches.batch import Batch
from wesam.models.segmenter import Segmenter
from wesam.types import Prompts
from wesam.updates.lora import LoraSettings
from wesam.updates.update import add_update, update_of

INPUT, GRID = 64, 16


def adapted_segmenter(seed: int = 0, drift: float = 0.1) -> Segmenter:
    """With a drift above 0 its answers differ from those of the source model."""
    segmenter = tiny_segmenter()
    add_update(segmenter, LoraSettings(rank=2), seed=seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in update_of(segmenter).parameters():
            parameter.add_(drift * torch.randn(parameter.shape, generator=generator))
    return segmenter


def make_batch(counts: tuple[int, ...] = (3, 1), seed: int = 0, masked: bool = False) -> Batch:
    """One image for each count of boxes. Every second image is padded below its upper three quarters."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator)

    images, prompts = len(counts), sum(counts)
    weak = 2 * draw(images, 3, INPUT, INPUT) - 1
    strong = weak + 0.5 * draw(images, 3, INPUT, INPUT)
    valid = torch.ones(images, GRID, GRID)
    for image in range(1, images, 2):
        weak[image, :, 48:] = 0
        strong[image, :, 48:] = 0
        valid[image, 12:] = 0
    corner = 28 * draw(prompts, 2)
    return Batch(
        keys=tuple(f"{seed}/{image}.png|all|-" for image in range(images)),
        sample_ids=tuple(f"{seed}/{image}.png" for image in range(images)),
        weak=weak,
        strong=strong,
        prompts=Prompts(boxes=torch.cat([corner, corner + 8 + 12 * draw(prompts, 2)], 1)),
        image_index=torch.arange(images).repeat_interleave(torch.tensor(counts)),
        instance_ids=tuple(f"{seed}-{instance}" for instance in range(prompts)),
        valid=valid,
        seeds=tuple(range(seed, seed + images)),
        masks=(draw(prompts, GRID, GRID) > 0.5).float() if masked else None,
    )


def only_image(batch: Batch, image: int) -> Batch:
    """The batch that holds this image alone."""
    return only_rows(
        replace(
            batch,
            keys=batch.keys[image : image + 1],
            sample_ids=batch.sample_ids[image : image + 1],
            weak=batch.weak[image : image + 1],
            strong=batch.strong[image : image + 1],
            valid=batch.valid[image : image + 1],
            seeds=batch.seeds[image : image + 1],
            image_index=batch.image_index - image,
        ),
        (batch.image_index == image).nonzero()[:, 0].tolist(),
    )


def only_rows(batch: Batch, rows: list[int]) -> Batch:
    """The batch with these instances (a row may come twice)."""
    index = torch.tensor(rows)
    return replace(
        batch,
        prompts=batch.prompts[index],
        image_index=batch.image_index[index],
        instance_ids=tuple(batch.instance_ids[row] for row in rows),
        masks=None if batch.masks is None else batch.masks[index],
    )
