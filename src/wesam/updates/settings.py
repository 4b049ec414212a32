"""What every kind of update has in its settings."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from wesam.models.segmenter import Segmenter
from wesam.updates.part import Part


class UpdateSettings(BaseModel):
    """One kind of update: its settings, and how it is put into a network.

    Attributes:
        kind: its name, a literal of each class.
        adds_layers: whether it puts layers of its own into the network.
        all_learn: whether every loss reaches all that it changes. Several processes need to know.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    adds_layers: ClassVar[bool] = False
    all_learn: ClassVar[bool] = False

    kind: str
    rate: float = Field(default=1.0, gt=0, description="The learning rate of what it changes, in units of the run's.")

    @abstractmethod
    def parts(self, segmenter: Segmenter, seed: int) -> Sequence[Part]:
        """Puts a fresh update into a network, which answers as before.

        Args:
            segmenter: one without an update.
            seed: of what starts at random.

        Raises:
            WesamError: if the network has nothing that this kind could change; it is then as before.
        """
