"""The one interface through which the training loop sees a method of adaptation."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from wesam.batches.batch import Batch
from wesam.errors import WesamError
from wesam.models.segmenter import Segmenter
from wesam.updates.update import update_of


class Objective(nn.Module, ABC):
    """A method: from a batch to named losses. It is a module so that DistributedDataParallel can wrap it.

    Attributes:
        segmenter: the network, with its adapter already in place.
        needs_masks: whether batches must carry ground-truth masks (upper bounds only).
        trainable: whether there is anything to learn; the loop takes no step where there is not.
        progress: the share of the run that is done, in [0, 1); the loop sets it before each step.
    """

    needs_masks: bool = False
    trainable: bool = True
    progress: float = 0.0

    def __init__(self, segmenter: Segmenter) -> None:
        super().__init__()
        self.segmenter = segmenter

    @abstractmethod
    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """Named scalar losses of one batch (means over its images); "total" is the one to descend."""

    def after_step(self) -> None:
        """Called after every optimiser step (an EMA teacher follows the student here)."""

    def result(self) -> dict[str, Tensor]:
        """The state of the update that a finished run hands to its user, by name."""
        return update_of(self.segmenter).state()

    def extra_state(self) -> dict[str, Tensor]:
        """What, beside the trained weights, a resumed run needs to go on unchanged."""
        return {}

    def load_extra_state(self, state: dict[str, Tensor]) -> None:
        """Takes back what `extra_state` gave.

        Raises:
            WesamError: if the state is not one of this objective.
        """
        if state:
            raise WesamError(
                f"state of {type(self).__name__}: expected none, got {len(state)} tensors, such as {min(state)}"
            )
