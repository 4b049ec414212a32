"""What learns in a network. The source model is the network with its update off."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from wesam.atomic import replaced_folder
from wesam.errors import WesamError
from wesam.models.fingerprint import source_fingerprint
from wesam.models.segmenter import Segmenter
from wesam.updates.part import Part, swapped
from wesam.updates.settings import UpdateSettings

# The files of an adapter that are ours; peft and others pass over them.
SETTINGS_FILE = "update.json"
WEIGHTS_FILE = "update.safetensors"
SOURCE_FILE = "source_weights.sha256"
PARENT_FILE = "parent_adapter.sha256"

State = dict[str, Tensor]


@dataclass(frozen=True)
class Group:
    """Parameters that an optimiser treats alike.

    Attributes:
        parameters: that learn.
        source: what each decays towards.
        rate: learning rate, in units of the run's.
    """

    parameters: list[nn.Parameter]
    source: list[Tensor | None]
    rate: float


class Update:
    """Some of a network's weights, of one kind or several, that learn while the others stay.

    It is put in place by `add_update` or by `load.attach_adapter`, and lies in `segmenter.update`.

    Args:
        segmenter: whose network holds the parts.
        settings: what it was made by; None for an adapter that another package made.
        parts: in place.
        source: fingerprint of the network before they were.

    Attributes:
        parent: SHA-256 of the weights of the adapter that it started from; None if from the source model.
    """

    def __init__(
        self, segmenter: Segmenter, settings: UpdateSettings | None, parts: Sequence[Part], source: str
    ) -> None:
        self.settings = settings
        self.parts = tuple(parts)
        self.source = source
        self.parent: str | None = None
        self._segmenter = segmenter
        self._off = 0

    @property
    def renews(self) -> tuple[nn.Module, ...]:
        """Layers whose running statistics are renewed as the network trains; those of all others stay."""
        return tuple(layer for part in self.parts for layer in part.renews)

    def tensors(self) -> State:
        """All that learns or is renewed, live, by name in a fixed order."""
        return {name: tensor for part in self.parts for name, tensor in part.tensors().items()}

    def parameters(self) -> list[nn.Parameter]:
        """What an optimiser moves."""
        return [tensor for tensor in self.tensors().values() if isinstance(tensor, nn.Parameter)]

    def parameter_groups(self) -> list[Group]:
        """`parameters`, part by part."""
        groups = []
        for part in self.parts:
            learning = {name: one for name, one in part.tensors().items() if isinstance(one, nn.Parameter)}
            groups.append(Group(list(learning.values()), [part.source.get(name) for name in learning], part.rate))
        return groups

    @torch.no_grad()
    def decay(self, weight: float) -> None:
        """Adds ``weight * (parameter - source)`` to each gradient: Adam's L2 form, towards the source model.

        A weight decay of the optimiser's own would pull to zero, which is not where the network came from.
        """
        for group in self.parameter_groups():
            for parameter, source in zip(group.parameters, group.source, strict=True):
                if parameter.grad is not None:
                    gone = parameter if source is None else parameter - source.to(parameter)
                    parameter.grad.add_(gone, alpha=weight)

    def state(self) -> State:
        """A copy of `tensors`, on their device."""
        return {name: tensor.detach().clone() for name, tensor in self.tensors().items()}

    def load(self, state: Mapping[str, Tensor], source: str = "update") -> None:
        """Copies a state into the network. Nothing changes if it does not fit.

        Args:
            state: as of `state`; any device and float type.
            source: what the error calls it, such as the path it came from.

        Raises:
            WesamError: if names or shapes are not those of this update.
        """
        self._check_fit(state, source)
        with torch.no_grad():
            for name, tensor in self.tensors().items():
                tensor.copy_(state[name])

    @contextmanager
    def using(self, state: Mapping[str, Tensor]) -> Iterator[None]:
        """Within this context the network runs with another state, such as that of an EMA teacher.

        It is without gradients, and renews no statistics. What does not learn is shared and nothing is copied.

        Raises:
            WesamError: if names or shapes are not those of this update.
        """
        self._check_fit(state, "state")
        with self._statistics_held(), swapped(self.tensors(), state):
            yield

    @contextmanager
    def off(self) -> Iterator[None]:
        """Within this context the network is the source model, bit for bit; it is without gradients."""
        with ExitStack() as stack:
            stack.enter_context(self._statistics_held())
            for part in self.parts:
                stack.enter_context(part.off())
            stack.enter_context(torch.no_grad())
            self._off += 1
            try:
                yield
            finally:
                self._off -= 1

    def between(self, state: Mapping[str, Tensor], fraction: float) -> State:
        """The state that lies a fraction of the way from the source model, at 0 bit for bit, to a state, at 1.

        For weights this is WiSE-FT's line in weight space (Wortsman et al. 2022, arXiv 2109.01903); of a LoRA's update
        ``B A`` it is ``fraction * B A``.
        """
        source = {name: tensor for part in self.parts for name, tensor in part.source.items()}
        return {
            name: _between(source[name].to(tensor), tensor, fraction) if name in source else tensor.clone()
            for name, tensor in state.items()
        }

    def switches(self) -> str:
        """What, beside the tensors, decides how the network answers: whether the update is on, and its scale."""
        return f"{'off' if self._off else 'on'} {' '.join(part.switches() for part in self.parts)}"

    def save(self, folder: Path) -> None:
        """Writes an adapter's folder whole or not at all; an older one gives way.

        A LoRA is written as a plain peft folder, which `PeftModel.from_pretrained(model, folder)` loads without this
        package; other kinds as safetensors under the network's own names.
        """
        with replaced_folder(folder) as partial:
            if len(self.parts) != 1 or not self.parts[0].write_shared(partial, self._segmenter.name):
                tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in self.tensors().items()}
                save_file(tensors, partial / WEIGHTS_FILE)
            if self.settings is not None:
                text = self.settings.model_dump_json(indent=2) + "\n"
                (partial / SETTINGS_FILE).write_text(text, encoding="utf-8")
            (partial / SOURCE_FILE).write_text(self.source + "\n", encoding="utf-8")
            if self.parent is not None:
                (partial / PARENT_FILE).write_text(self.parent + "\n", encoding="utf-8")

    def merged(self) -> nn.Module:
        """A plain network with the update in its weights; the segmenter stays as it is.

        Costs a second copy of the weights.
        """
        network: nn.Module = copy.deepcopy(self._segmenter.network)
        for part in self.parts:
            part.fold(network)
        network.requires_grad_(False)
        return network

    @contextmanager
    def _statistics_held(self) -> Iterator[None]:
        """Within this context no running statistics are renewed: those in place may be a teacher's or the source's."""
        training = [layer for layer in self.renews if layer.training]
        try:
            for layer in training:
                layer.eval()
            yield
        finally:
            for layer in training:
                layer.train()

    def _check_fit(self, state: Mapping[str, Tensor], source: str) -> None:
        expected = {name: tuple(tensor.shape) for name, tensor in self.tensors().items()}
        got = {name: tuple(tensor.shape) for name, tensor in state.items()}
        for name in sorted(expected.keys() | got.keys()):
            if expected.get(name) != got.get(name):
                raise WesamError(
                    f"{source}: does not fit {self._segmenter.name}: tensor {name}: "
                    f"expected {expected.get(name, 'no such tensor')}, got {got.get(name, 'no such tensor')}"
                )


def _between(source: Tensor, tensor: Tensor, fraction: float) -> Tensor:
    if fraction == 0 or not tensor.is_floating_point():
        return (source if fraction == 0 else tensor).clone()
    return torch.lerp(source, tensor, fraction)


def add_update(segmenter: Segmenter, settings: UpdateSettings, seed: int) -> Update:
    """Makes a fresh update of a network, in place; the network answers as before.

    Args:
        segmenter: one without an update.
        settings: what learns.
        seed: of what starts at random (a LoRA's factors A); the same seed gives the same on every device.

    Raises:
        ValueError: if the segmenter already has an update.
        WesamError: if the network has nothing that an update of this kind could change.
    """
    source = source_of(segmenter)
    return put_in_place(segmenter, settings, settings.parts(segmenter, seed), source)


def source_of(segmenter: Segmenter) -> str:
    """The fingerprint of a network that has no update yet.

    Raises:
        ValueError: if it has one.
    """
    if segmenter.update is not None:
        raise ValueError(f"expected a segmenter without an adapter, got one that has one: {segmenter.name}")
    return source_fingerprint(segmenter)


def put_in_place(segmenter: Segmenter, settings: UpdateSettings | None, parts: Sequence[Part], source: str) -> Update:
    """Makes an update of parts that are in the network already, and lets them alone learn."""
    update = Update(segmenter, settings, parts, source)
    segmenter.network.requires_grad_(False)
    for parameter in update.parameters():
        parameter.requires_grad_(True)
    segmenter.update = update
    return update


def update_of(segmenter: Segmenter) -> Update:
    """The update that is in place.

    Raises:
        ValueError: if there is none.
    """
    if not isinstance(segmenter.update, Update):
        raise ValueError(f"expected a segmenter with an adapter, got one without: {segmenter.name}")
    return segmenter.update


def merged_model(segmenter: Segmenter) -> Any:
    """A plain network with the update, if there is one, in its weights; the segmenter stays as it is."""
    return copy.deepcopy(segmenter.network) if segmenter.update is None else update_of(segmenter).merged()
