"""The lower bound: the source model as it is."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict
from torch import Tensor

from wesam.batches.batch import Batch
from wesam.methods.base import Objective


class DirectSettings(BaseModel):
    """Nothing to choose."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Literal["direct"] = "direct"


class DirectObjective(Objective):
    """Learns nothing. A fresh adapter changes no answer, so a run of no steps is the source model."""

    trainable = False

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """A "total" of 0 without a graph."""
        return {"total": batch.weak.new_zeros(())}
