"""All weights of the mask decoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from wesam.models.segmenter import Segmenter
from wesam.updates.layers import weight_names
from wesam.updates.own_weights import OwnWeights
from wesam.updates.part import Part
from wesam.updates.settings import UpdateSettings


class DecoderSettings(UpdateSettings):
    """Every weight of the mask decoder; images are encoded as by the source model."""

    kind: Literal["decoder"] = "decoder"

    def parts(self, segmenter: Segmenter, seed: int) -> Sequence[Part]:
        return [OwnWeights(segmenter.network, weight_names(segmenter, "decoder", self.kind), self.rate)]
