"""All weights of the image encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from wesam.models.segmenter import Segmenter
from wesam.updates.layers import weight_names
from wesam.updates.own_weights import OwnWeights
from wesam.updates.part import Part
from wesam.updates.settings import UpdateSettings


class EncoderSettings(UpdateSettings):
    """Every weight of the image encoder. Running statistics stay the source model's.

    An adapter, and each candidate that a run keeps, is then as large as the encoder.
    """

    kind: Literal["encoder"] = "encoder"
    rate: float = Field(
        default=0.1,
        gt=0,
        description="The learning rate of what it changes, in units of the run's; below 1, since every weight moves "
        "(chosen here, not measured).",
    )

    def parts(self, segmenter: Segmenter, seed: int) -> Sequence[Part]:
        return [OwnWeights(segmenter.network, weight_names(segmenter, "encoder", self.kind), self.rate)]
