"""The lower bound: the source model as it is."""

from __future__ import annotations

from typing import Literal

from wesam.batches.batch import Batch
from wesam.methods.base import Losses, Method, MethodSettings
from wesam.methods.registry import register


class DirectSettings(MethodSettings):
    """Nothing to choose."""

    name: Literal["direct"] = "direct"


class Direct(Method):
    """Learns nothing. A fresh adapter changes no answer, so a run of no steps is the source model."""

    needs = "none"
    trainable = False

    def losses(self, batch: Batch) -> Losses:
        """A "total" of 0 without a graph."""
        return {"total": batch.weak.new_zeros(())}


register(DirectSettings, Direct)
