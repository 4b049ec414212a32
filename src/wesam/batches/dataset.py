"""Weakly labelled images as training items: two looks at one geometry, with the prompts on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor
from torch.utils.data import Dataset

from wesam.batches.batch import Batch
from wesam.batches.photometric import STRENGTHS, Strength, strong_view
from wesam.errors import WesamError
from wesam.frames.geometry import Geometry
from wesam.frames.pixels import to_input
from wesam.frames.tiling import instance_extents, plan_crops
from wesam.labels.images import read_sample
from wesam.prompts.build import build_prompts, outline_distances
from wesam.prompts.coarse_mask import visible_cover
from wesam.types import Prompts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wesam.batches.sampler import Key
    from wesam.frames.tiling import Crop
    from wesam.models.segmenter import Segmenter
    from wesam.types import Instance, Sample

# Resized 8-bit pixels that a process keeps, so that a small set is decoded once and not once an epoch. Measured: an
# item takes half the time with 256-pixel images and an eighth with 256-pixel tiles of 1,000-pixel ones, each of which
# needs the whole image decoded; at 1,024 pixels the strong view outweighs it.
_BYTES_KEPT = 2**28

# A mask's cell counts as covered from half its area on, of an object smaller than a cell from half of its fullest one.
_COVERED = 0.5


#: Objects of an image that are asked about in one step (the paper: 40 to 50); more take turns, in fixed groups.
MAX_INSTANCES = 40


class ViewSettings(BaseModel):
    """How images are looked at while adapting."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tile: int | None = Field(
        default=None, ge=1, description="side of tiles in pixels for images larger than that; None: no tiles"
    )
    overlap: int = Field(
        default=64,
        ge=0,
        description="overlap of neighbouring tiles, at least, in pixels; larger objects may need the whole image",
    )
    fixed: int | None = Field(
        default=None,
        ge=1,
        description="flips and strong views an image, drawn once, which take turns; None: new ones at every visit. "
        "With `update.last` below 1 the blocks before those that learn then run once for each (docs/speed.md)",
    )
    photometric: Strength = Field(
        default="default", description="how far the strong view's colours and light differ from the weak one's"
    )

    @model_validator(mode="after")
    def _tiles_move_on(self) -> ViewSettings:
        if self.tile is not None and self.overlap >= self.tile:
            raise ValueError(f"expected overlap below tile, got overlap={self.overlap} and tile={self.tile}")
        return self


@dataclass(frozen=True)
class ViewItem:
    """One image or tile of a `Batch`: its fields without the batch dimension, and the geometry of both looks."""

    key: str
    sample_id: str
    geometry: Geometry
    weak: Tensor
    strong: Tensor
    prompts: Prompts
    instance_ids: tuple[str, ...]
    valid: Tensor
    seed: int
    outlines: Tensor | None
    masks: Tensor | None


@dataclass(frozen=True)
class _Look:
    """A part of an image with the objects it answers for, and the groups of them that are asked about together."""

    sample: Sample
    crop: Crop
    instances: tuple[Instance, ...]
    masks: tuple[Instance | None, ...] | None
    groups: tuple[tuple[int, ...], ...]


class TargetDataset(Dataset[ViewItem]):
    """One item for each image, or for each tile with objects on it; images without objects have none.

    Items are asked for by ``(epoch, index)`` (see `batches.sampler.StepSampler`). All random draws of an item come
    from a generator seeded by (seed, epoch, index), so they depend neither on the number of loader processes
    nor on where a resumed run starts. Where an image has more objects than are asked about at once, they are shared out
    among fixed groups, which take turns from epoch to epoch.

    Args:
        samples: the images with their weak labels.
        segmenter: whose input the views are made for; only its sizes and pixel statistics are kept.
        settings: how to look.
        seed: of all draws.
        masks: the same images with true masks of some of the same instances; None where none is learned from.

    Raises:
        WesamError: if no image has a labelled object. Asking for an item raises it if the image cannot be read, or
            has another size than its sample says.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        segmenter: Segmenter,
        settings: ViewSettings,
        seed: int,
        masks: Sequence[Sample] | None = None,
    ) -> None:
        self._format = segmenter.input
        self._settings = settings
        self._seed = seed
        self._kept: dict[int, Tensor] = {}
        self._kept_bytes = 0
        masks_of = None if masks is None else {sample.id: _by_id(sample) for sample in masks}
        self._looks: list[_Look] = []
        for sample in samples:
            extents = instance_extents(sample.instances)
            for crop, indices in plan_crops(sample.width, sample.height, extents, settings.tile, settings.overlap):
                instances = tuple(sample.instances[index] for index in indices)
                truth = None
                if masks_of is not None:
                    truth = tuple(masks_of.get(sample.id, {}).get(instance.id) for instance in instances)
                groups = _groups(len(instances), MAX_INSTANCES, [seed, len(self._looks)])
                self._looks.append(_Look(sample, crop, instances, truth, groups))
        if not self._looks:
            raise WesamError(f"samples: expected at least one labelled object, got {len(samples)} images without")

    def __len__(self) -> int:
        return len(self._looks)

    def __getitem__(self, key: Key) -> ViewItem:
        epoch, index = key
        fixed = self._settings.fixed
        generator = self._generator(epoch if fixed is None else epoch % fixed, index)
        horizontal, vertical = (torch.rand(2, generator=generator) < 0.5).tolist()
        return self._item(key, horizontal, vertical, generator)

    def upright(self, index: int) -> ViewItem:
        """An item as it lies on disk, always with the same instances and the same strong view."""
        return self._fixed(index, mirrored=False)

    def mirrored(self, index: int) -> ViewItem:
        """`upright`, mirrored left-right, with the same instances; its strong view is the weak one."""
        return self._fixed(index, mirrored=True)

    def _fixed(self, index: int, mirrored: bool) -> ViewItem:
        generator = self._generator(0, index)
        torch.rand(2, generator=generator)  # where an item of epoch 0 draws its flips
        return self._item((0, index), mirrored, False, generator, strong=not mirrored)

    def _item(
        self, key: Key, horizontal: bool, vertical: bool, generator: torch.Generator, strong: bool = True
    ) -> ViewItem:
        epoch, index = key
        look, settings = self._looks[index], self._settings
        geometry = Geometry(look.crop, self._format, flip_horizontal=horizontal, flip_vertical=vertical)
        chosen = look.groups[epoch % len(look.groups)]
        image = geometry.from_resized(self._resized(index, geometry))
        weak = strong_input = to_input(image, self._format)
        if strong:
            strong_input = to_input(strong_view(image, STRENGTHS[settings.photometric], generator), self._format)
        instances = [look.instances[number] for number in chosen]
        masks = None
        if look.masks is not None:
            masks = torch.stack([self._mask(look.masks[number], geometry) for number in chosen])
        return ViewItem(
            key=_key(look.sample, geometry),
            sample_id=look.sample.id,
            geometry=geometry,
            weak=weak,
            strong=strong_input,
            prompts=build_prompts(instances, geometry, self._format.grid),
            instance_ids=tuple(instance.id for instance in instances),
            valid=geometry.valid(self._format.grid),
            seed=int(torch.randint(2**62, (), generator=generator)),
            outlines=outline_distances(instances, geometry, self._format.grid),
            masks=masks,
        )

    def _mask(self, truth: Instance | None, geometry: Geometry) -> Tensor:
        """(m, m) in {0, 1}; NaN where the mask is not known."""
        if truth is None:
            return torch.full((self._format.grid, self._format.grid), torch.nan)
        return (visible_cover(geometry.mask_to_grid(truth.mask(), self._format.grid)) >= _COVERED).float()

    def _resized(self, index: int, geometry: Geometry) -> Tensor:
        """Upright 8-bit pixels of an item, from memory if they were kept."""
        if index in self._kept:
            return self._kept[index]
        resized = geometry.resize(read_sample(self._looks[index].sample))
        # No eviction: when every epoch visits all items, those kept first serve as well as any others would.
        if self._kept_bytes + resized.nbytes <= _BYTES_KEPT:
            self._kept[index] = resized
            self._kept_bytes += resized.nbytes
        return resized

    def _generator(self, epoch: int, index: int) -> torch.Generator:
        mixed = np.random.SeedSequence([self._seed, epoch, index]).generate_state(1, np.uint64)
        return torch.Generator().manual_seed(int(mixed[0]))


def collate(items: Sequence[ViewItem]) -> Batch:
    """Joins items to one batch; all of them, or none, carry masks."""
    counts = torch.tensor([len(item.instance_ids) for item in items])
    masks = [item.masks for item in items if item.masks is not None]
    return Batch(
        keys=tuple(item.key for item in items),
        sample_ids=tuple(item.sample_id for item in items),
        weak=torch.stack([item.weak for item in items]),
        strong=torch.stack([item.strong for item in items]),
        prompts=Prompts.cat([item.prompts for item in items]),
        image_index=torch.arange(len(items)).repeat_interleave(counts),
        instance_ids=tuple(name for item in items for name in item.instance_ids),
        valid=torch.stack([item.valid for item in items]),
        seeds=tuple(item.seed for item in items),
        outlines=_outlines(items),
        masks=torch.cat(masks) if masks else None,
    )


def _outlines(items: Sequence[ViewItem]) -> Tensor | None:
    """Those of all items, NaN for items without any; None if no item has any."""
    known = [item.outlines for item in items if item.outlines is not None]
    if not known:
        return None
    return torch.cat(
        [
            known[0].new_full((len(item.instance_ids), *known[0].shape[1:]), torch.nan)
            if item.outlines is None
            else item.outlines
            for item in items
        ]
    )


def _groups(count: int, most: int, seed: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """Shares out `count` numbers among as few groups of at most `most` as will do, nearly equal in size.

    They are fixed, so that what the frozen source model said about a group can be remembered, and drawn at random,
    because neighbours in a label file are often neighbours in the image.
    """
    shuffled = np.random.default_rng(seed).permutation(count)
    groups = np.array_split(shuffled, -(-count // most))
    return tuple(tuple(sorted(group.tolist())) for group in groups)


def require_masks(samples: Sequence[Sample], masks: Sequence[Sample]) -> None:
    """For methods that learn from nothing else.

    Raises:
        WesamError: naming the first instance without a mask.
    """
    known = {sample.id: _by_id(sample) for sample in masks}
    for sample in samples:
        missing = [instance.id for instance in sample.instances if instance.id not in known.get(sample.id, {})]
        if missing:
            raise WesamError(
                f"{sample.id}: expected a ground-truth mask for every instance, got none for instance {missing[0]} "
                f"({len(missing)} of {len(sample.instances)} lack one)"
            )


def _by_id(sample: Sample) -> dict[str, Instance]:
    return {instance.id: instance for instance in sample.instances if instance.rle is not None}


def _key(sample: Sample, geometry: Geometry) -> str:
    """As `Batch.keys` describes: equal keys, equal weak pixels and geometry."""
    flip = "h" * geometry.flip_horizontal + "v" * geometry.flip_vertical
    return f"{sample.id}|{','.join(map(str, geometry.crop))}|{flip}"
