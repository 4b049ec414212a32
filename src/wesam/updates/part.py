"""Some tensors of a network that learn, and what they are where the network is the source."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from pathlib import Path


class Part(ABC):
    """One kind of update in place in a network; an `Update` is made of one or several.

    Attributes:
        rate: its learning rate, in units of the run's.
        source: for each tensor that tells the source from what was learned, the source's values. A tensor that is
            not in it (a LoRA's factor A) may have any values in the source, and decays towards zero.
        renews: layers whose running statistics are renewed as the network trains.
    """

    rate: float = 1.0
    source: Mapping[str, Tensor] = {}
    renews: Sequence[nn.Module] = ()

    @abstractmethod
    def tensors(self) -> dict[str, Tensor]:
        """The parameters that learn and the buffers that are renewed, live, under the names that a file has."""

    def off(self) -> AbstractContextManager[None]:
        """Within this context the network is the source, bit for bit."""
        return swapped(self.tensors(), self.source)

    def switches(self) -> str:
        """What, beside its tensors, decides how it acts; a setting that another network could have otherwise."""
        return ""

    def fold(self, network: nn.Module) -> None:
        """Leaves in a copy of the network nothing but plain layers, with what was learned in their weights."""
        return

    def remove(self) -> None:
        """Takes itself out of a network that it has not changed yet."""
        return

    def write_shared(self, folder: Path, model: str) -> bool:
        """Writes itself in a format that other packages read; False if there is none for its kind."""
        return False


@contextmanager
def swapped(tensors: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> Iterator[None]:
    """Within this context some of the tensors hold other values. Nothing is copied, and there are no gradients.

    A backward pass after the context would meet the own values again and be silently wrong; so there is none.
    """
    own = {name: tensors[name].data for name in values}
    try:
        for name, value in values.items():
            tensors[name].data = value.to(own[name])
        with torch.no_grad():
            yield
    finally:
        for name, data in own.items():
            tensors[name].data = data
