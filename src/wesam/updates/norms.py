"""Scale and shift of the encoder's normalisation layers (as in TENT; Wang et al. 2021, arXiv 2006.10726)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field
from torch import nn

from wesam.models.segmenter import Segmenter
from wesam.updates.layers import layer_names
from wesam.updates.own_weights import OwnWeights
from wesam.updates.part import Part
from wesam.updates.settings import UpdateSettings


class NormsSettings(UpdateSettings):
    """Scale and shift of every LayerNorm and BatchNorm in the encoder."""

    kind: Literal["norms"] = "norms"
    renew_statistics: bool = Field(
        default=False,
        description="BatchNorms see the statistics of their batch in training, and renew their running ones, which are "
        "then part of the update; without it they stay the source model's. Of no effect where there is no BatchNorm.",
    )

    def parts(self, segmenter: Segmenter, seed: int) -> Sequence[Part]:
        network = segmenter.network
        layers = [(name, network.get_submodule(name)) for name in layer_names(segmenter, "norms", self.kind)]
        names = [f"{layer}.{name}" for layer, module in layers for name, _ in module.named_parameters(recurse=False)]
        renewed = []
        if self.renew_statistics:
            renewed = [one for one in layers if isinstance(one[1], nn.modules.batchnorm._BatchNorm)]
            names += [f"{layer}.{name}" for layer, module in renewed for name, _ in module.named_buffers(recurse=False)]
        return [OwnWeights(network, names, self.rate, [module for _, module in renewed])]
