"""Updates of a network's own weights, beside which the source's are kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import Tensor, nn

from wesam.updates.part import Part


class OwnWeights(Part):
    """Some of a network's own tensors. The source's are kept beside them, which costs their memory once more.

    Args:
        network: that they belong to.
        names: of parameters and buffers, as in its `state_dict`.
        rate: learning rate, in units of the run's.
        renews: layers whose running statistics, among the names, are renewed in training mode.
    """

    def __init__(
        self, network: nn.Module, names: Iterable[str], rate: float = 1.0, renews: Sequence[nn.Module] = ()
    ) -> None:
        self.rate = rate
        self.renews = tuple(renews)
        # By owner: a buffer is another tensor once the network moves to another device.
        self._owners: dict[str, tuple[nn.Module, str]] = {}
        for name in names:
            owner, _, own = name.rpartition(".")
            self._owners[name] = (network.get_submodule(owner), own)
        self.source = {name: tensor.detach().clone() for name, tensor in self.tensors().items()}

    def tensors(self) -> dict[str, Tensor]:
        return {name: getattr(owner, own) for name, (owner, own) in self._owners.items()}
