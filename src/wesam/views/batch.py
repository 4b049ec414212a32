"""What one training step sees."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
        masks: (N, m, m) float ground-truth masks on the mask grid, in {0, 1}; None unless the objective
            asks for them (Supervised alone does).
    """

    keys: tuple[str, ...]
    sample_ids: tuple[str, ...]
    weak: Tensor
    strong: Tensor
    prompts: Prompts
    image_index: Tensor
    instance_ids: tuple[str, ...]
    valid: Tensor
    masks: Tensor | None = None

    def __len__(self) -> int:
        return len(self.keys)

    def to(self, device: torch.device | str) -> Batch:
        return replace(
            self,
            weak=self.weak.to(device),
            strong=self.strong.to(device),
            prompts=self.prompts.to(device),
            image_index=self.image_index.to(device),
            valid=self.valid.to(device),
            masks=None if self.masks is None else self.masks.to(device),
        )
