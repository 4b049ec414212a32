"""Keeps what the frozen source model said, so that it is asked once for each image and flip."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Anchor:
    """What the source model says to the n prompts of one image.

    Attributes:
        masks: (n, m, m) bool.
        z: (n, C) float32 features pooled under the masks, of length 1, and a row for the background after
            them where the method wants one.
        present: (n,) bool, or one longer with the background; False where nothing was pooled.
    """

    masks: Tensor
    z: Tensor
    present: Tensor


@dataclass(frozen=True)
class _Entry:
    """An `Anchor` in CPU memory, its masks at one bit a cell."""

    packed: Tensor
    shape: torch.Size
    z: Tensor
    present: Tensor

    @property
    def size(self) -> int:
        return sum(part.numel() * part.element_size() for part in (self.packed, self.z, self.present))


class AnchorCache:
    """Least recently used entries go first once all together exceed `max_bytes`; 0 keeps none.

    What comes out is bit for bit what went in.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.used_bytes = 0
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable, device: torch.device) -> Anchor | None:
        """The anchor kept under `key`, on `device`; None where there is none."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return Anchor(
            _unpack(entry.packed.to(device, non_blocking=True), entry.shape),
            entry.z.to(device, non_blocking=True),
            entry.present.to(device, non_blocking=True),
        )

    def put(self, key: Hashable, anchor: Anchor) -> None:
        """Keeps an anchor that is not kept yet."""
        if self.max_bytes == 0:
            return
        entry = _Entry(
            _pack(anchor.masks).cpu(),
            anchor.masks.shape,
            anchor.z.cpu().clone(),
            anchor.present.cpu().clone(),
        )
        self._entries[key] = entry
        self.used_bytes += entry.size
        while self.used_bytes > self.max_bytes:
            _, oldest = self._entries.popitem(last=False)
            self.used_bytes -= oldest.size


def _pack(masks: Tensor) -> Tensor:
    """(n, m, m) bool to one bit a cell; m is a multiple of 4, so the cells of a mask fill whole bytes."""
    return (masks.reshape(-1, 8).to(torch.uint8) << _bits(masks.device)).sum(1, dtype=torch.uint8)


def _unpack(packed: Tensor, shape: torch.Size) -> Tensor:
    return ((packed[:, None] >> _bits(packed.device)) & 1).bool().reshape(shape)


def _bits(device: torch.device) -> Tensor:
    return torch.arange(8, dtype=torch.uint8, device=device)
