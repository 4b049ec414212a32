"""What an encoder says of a batch of images, whatever the family."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Features:
    """Features of B images. Families differ in what they hold beside the one map that all have.

    Attributes:
        pooled: (B, C, g, g), the coarse map that the decoder attends to; losses on features pool this one.
        extra: further maps of the same B images that the family's decoder reads; often finer.
    """

    pooled: Tensor
    extra: tuple[Tensor, ...] = ()

    @property
    def device(self) -> torch.device:
        return self.pooled.device

    def __len__(self) -> int:
        return len(self.pooled)

    def __getitem__(self, index: Tensor | slice) -> Features:
        """The images at `index`: a slice or an int64 tensor."""
        return self.map(lambda part: part[index])

    def map(self, change: Callable[[Tensor], Tensor]) -> Features:
        """Each part changed, such as `lambda part: part.to(device)`."""
        return Features(change(self.pooled), tuple(change(part) for part in self.extra))

    def to(self, device: torch.device | str) -> Features:
        return self.map(lambda part: part.to(device))

    def detach(self) -> Features:
        return self.map(Tensor.detach)

    def float(self) -> Features:
        return self.map(Tensor.float)

    def half(self) -> Features:
        return self.map(Tensor.half)

    def zeros_like(self) -> Features:
        return self.map(torch.zeros_like)

    @staticmethod
    def cat(features: Sequence[Features]) -> Features:
        """Joins features of the same family in order."""
        extra = zip(*(one.extra for one in features), strict=True)
        return Features(torch.cat([one.pooled for one in features]), tuple(torch.cat(parts) for parts in extra))
