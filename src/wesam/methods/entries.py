"""Which regions of an image the contrastive loss compares: its instances and, if wanted, its background."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from wesam.losses.contrastive import background_masks, pool_features
from wesam.models.features import Features


@dataclass(frozen=True)
class Entries:
    """The M entries of a batch: its N instances, then one background an image where wanted.

    Attributes:
        background: whether what no instance covers is an entry of its own.
        ignore_padding: whether features are pooled on the image alone. The background always is.
    """

    background: bool
    ignore_padding: bool

    def pool(self, features: Features, masks: Tensor, image_index: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """Pools features under the masks of one branch.

        Args:
            features: of that branch.
            masks: (N, m, m) bool of that branch.
            image_index: (N,) int64, which of the B images each mask belongs to.
            valid: (B, m, m), 1 on the image and 0 on padding.

        Returns:
            z (M, C) and present (M,), as `pool_features` gives them.
        """
        if self.ignore_padding:
            masks = masks & (valid[image_index] > 0)
        if self.background:
            masks = torch.cat([masks, background_masks(masks, image_index, valid)])
        return pool_features(features.pooled, masks, self.image_index(image_index, len(valid)))

    def image_index(self, image_index: Tensor, images: int) -> Tensor:
        """(M,) int64, which image each entry belongs to, from that of the instances (N,)."""
        if not self.background:
            return image_index
        return torch.cat([image_index, torch.arange(images, device=image_index.device)])
