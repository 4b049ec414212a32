"""A teacher that follows the student slowly."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

from wesam.models.segmenter import Segmenter
from wesam.updates.update import update_of


class EmaAdapter(nn.Module):
    """Exponential moving average of all that an update holds (Tarvainen & Valpola 2017, arXiv 1703.01780).

    The base network is shared, so a teacher costs the memory of an adapter. The average is held in buffers,
    so it moves between devices, and is kept in checkpoints, with the method it is part of.

    Args:
        segmenter: one with an adapter; its weights now are the first average.
        decay: share of the old average that each update keeps, in [0, 1).
    """

    def __init__(self, segmenter: Segmenter, decay: float) -> None:
        super().__init__()
        self.decay = decay
        # Names of weights hold dots, which names of buffers must not.
        self._buffer_of: dict[str, str] = {}
        for number, (name, tensor) in enumerate(update_of(segmenter).tensors().items()):
            self._buffer_of[name] = f"average_{number}"
            self.register_buffer(f"average_{number}", tensor.detach().clone())

    def weights(self) -> dict[str, Tensor]:
        """The averages themselves (no copies), under the names of the update's `tensors`."""
        return {name: self.get_buffer(buffer) for name, buffer in self._buffer_of.items()}

    def teaching(self, segmenter: Segmenter) -> AbstractContextManager[None]:
        """Within this context the segmenter runs, without gradients, on the averaged weights."""
        return update_of(segmenter).using(self.weights())

    @torch.no_grad()
    def update(self, segmenter: Segmenter) -> None:
        """``average <- decay * average + (1 - decay) * weights``."""
        averages = self.weights()
        for name, tensor in update_of(segmenter).tensors().items():
            if tensor.is_floating_point():
                averages[name].lerp_(tensor, 1 - self.decay)
            else:  # a count, such as that of the batches whose statistics were taken
                averages[name].copy_(tensor)
