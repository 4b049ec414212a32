"""The one interface through which the training loop sees a method of adaptation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from wesam.batches.batch import Batch
from wesam.batches.dataset import TargetDataset
from wesam.errors import WesamError
from wesam.models.segmenter import Segmenter
from wesam.types import Sample
from wesam.updates.update import update_of

#: Named scalars of one batch (means over its images); "total" is the one to descend, and alone has a graph.
Losses = dict[str, Tensor]

#: What a method learns from beside the images: nothing, the labels that prompt, or true masks.
Labels = Literal["none", "prompts", "masks"]


class MethodSettings(BaseModel):
    """What belongs to one method alone. A method's own settings extend it and give `name` a literal."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str


class Method(nn.Module, ABC):
    """A method: from a batch to named losses. It is a module so that DistributedDataParallel can wrap it.

    Parameters and buffers that a method owns beside the segmenter are trained, moved and kept in checkpoints with the
    run; a buffer registered with ``persistent=False`` is not kept.

    Attributes:
        segmenter: the network, with its adapter already in place.
        settings: of this method.
        needs: what batches must carry.
        selection: the rule (`health.selection.RULES`) that chooses the checkpoint where the user names none.
        update: settings of the run's update, where a method asks for another one than the default; the user's win.
        shown: names of the losses that a progress line shows.
        trainable: whether there is anything to learn; the loop takes no step where there is not.
        progress: the fraction of the run that is done, in [0, 1); the loop sets it before each step.
    """

    needs: ClassVar[Labels] = "prompts"
    selection: ClassVar[str] = "best-healthy"
    update: ClassVar[Mapping[str, Any]] = {}
    shown: ClassVar[tuple[str, ...]] = ("total",)
    trainable: ClassVar[bool] = True
    progress: float = 0.0

    def __init__(self, segmenter: Segmenter, settings: MethodSettings) -> None:
        super().__init__()
        self.segmenter = segmenter
        self.settings = settings

    def prepare(self, target: TargetDataset) -> None:
        """Called once before the first step of a run (not of a resumed one), with all images to adapt to."""

    def remarks(self, samples: Sequence[Sample]) -> list[str]:
        """In words, what a user should know of these settings with these labels (those that prompt)."""
        return []

    @abstractmethod
    def losses(self, batch: Batch) -> Losses:
        """The losses of one batch."""

    def forward(self, batch: Batch) -> Losses:
        """`losses`; what wraps a module calls it by this name."""
        return self.losses(batch)

    def after_step(self) -> None:
        """Called after every optimiser step (an EMA teacher follows the student here)."""

    def result(self) -> dict[str, Tensor]:
        """The state of the update that a finished run hands to its user, by name."""
        return update_of(self.segmenter).state()

    def own_parameters(self) -> list[nn.Parameter]:
        """What the optimiser trains beside the adapter, in a fixed order."""
        return [parameter for name, parameter in self.named_parameters() if not _of_segmenter(name)]

    def own_state(self) -> dict[str, Tensor]:
        """What, beside the adapter's weights, a resumed run needs to go on unchanged (copies)."""
        state = self.state_dict().items()
        return {name: tensor.detach().clone() for name, tensor in state if not _of_segmenter(name)}

    def load_own_state(self, state: Mapping[str, Tensor]) -> None:
        """Takes back what `own_state` gave.

        Raises:
            WesamError: if names or shapes are not those of this method.
        """
        expected = {name: tuple(tensor.shape) for name, tensor in self.own_state().items()}
        got = {name: tuple(tensor.shape) for name, tensor in state.items()}
        for name in sorted(expected.keys() | got.keys()):
            if expected.get(name) != got.get(name):
                raise WesamError(
                    f"state of {type(self).__name__}: tensor {name}: expected {expected.get(name, 'no such tensor')}, "
                    f"got {got.get(name, 'no such tensor')}"
                )
        self.load_state_dict(dict(state), strict=False)


def _of_segmenter(name: str) -> bool:
    return name.startswith("segmenter.")
