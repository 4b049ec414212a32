"""What one training step sees."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

import torch
from torch import Tensor

from wesam.types import Prompts


@dataclass(frozen=True)
class Batch:
    """B images (or tiles) in two looks that share one geometry, and the N prompts on them.

    Attributes:
        keys: B texts that name image, tile and flip, e.g. "a/b.png|0,0,256,256|h": equal keys mean equal
            weak pixels and equal geometry, so results of the frozen anchor can be kept under them.
        sample_ids: B ids of the images, for messages.
        weak, strong: (B, 3, S, S) normalised and padded pixels of the encoder's input.
        prompts: N prompts in the input frame, those of the first image first.
        image_index: (N,) int64, which of the B images each prompt belongs to; every image has at least one.
        instance_ids: N ids of the labelled objects.
        valid: (B, m, m) float on the mask grid: 1 where a cell lies on the image, 0 on padding.
        seeds: B numbers, of what losses draw at random for an image's objects: its own, whatever else is in the batch.
        outlines: (N, m, m) signed distances, in cells of the mask grid, to the border of the label's own mask, positive
            inside; NaN rows for labels without a mask; None where no label that prompts has one.
        masks: (N, m, m) float true masks on the mask grid, in {0, 1}; NaN rows for objects whose mask is not known;
            None where nothing is learned from masks.
    """

    keys: tuple[str, ...]
    sample_ids: tuple[str, ...]
    weak: Tensor
    strong: Tensor
    prompts: Prompts
    image_index: Tensor
    instance_ids: tuple[str, ...]
    valid: Tensor
    seeds: tuple[int, ...]
    outlines: Tensor | None = None
    masks: Tensor | None = None

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def rows(self) -> list[slice]:
        """The rows of each image's prompts, which lie together."""
        counts = torch.bincount(self.image_index, minlength=len(self)).tolist()
        ends = list(accumulate(counts))
        return [slice(end - count, end) for count, end in zip(counts, ends, strict=True)]

    def generators(self) -> list[torch.Generator]:
        """A fresh generator for each image, so that a batch in parts draws what it draws as a whole."""
        return [torch.Generator().manual_seed(seed) for seed in self.seeds]

    def split(self, parts: int) -> list[Batch]:
        """The images in `parts` runs of nearly equal length, each a batch of its own.

        Raises:
            ValueError: if there are fewer images than parts.
        """
        if not 1 <= parts <= len(self):
            raise ValueError(f"expected 1 to {len(self)} parts of a batch of {len(self)}, got {parts}")
        edges = [len(self) * number // parts for number in range(parts + 1)]
        return [self] if parts == 1 else [self._images(*pair) for pair in pairwise(edges)]

    def _images(self, start: int, stop: int) -> Batch:
        rows = self.rows
        first, last = rows[start].start, rows[stop - 1].stop
        return replace(
            self,
            keys=self.keys[start:stop],
            sample_ids=self.sample_ids[start:stop],
            weak=self.weak[start:stop],
            strong=self.strong[start:stop],
            prompts=self.prompts[first:last],
            image_index=self.image_index[first:last] - start,
            instance_ids=self.instance_ids[first:last],
            valid=self.valid[start:stop],
            seeds=self.seeds[start:stop],
            outlines=None if self.outlines is None else self.outlines[first:last],
            masks=None if self.masks is None else self.masks[first:last],
        )

    def to(self, device: torch.device | str) -> Batch:
        return replace(
            self,
            weak=self.weak.to(device),
            strong=self.strong.to(device),
            prompts=self.prompts.to(device),
            image_index=self.image_index.to(device),
            valid=self.valid.to(device),
            outlines=None if self.outlines is None else self.outlines.to(device),
            masks=None if self.masks is None else self.masks.to(device),
        )
