"""The frozen blocks before the first that learns: their answer to an image is computed once and remembered.

An update of the last blocks alone (`update.last`) leaves all before them as they were, so what enters the first block
that learns depends on the pixels and on nothing else. It is kept under the pixels' own hash, so that whoever asks
(student, teacher, source model, signals of health) finds it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from wesam.models.features import Features
from wesam.models.segmenter import Segmenter

State = tuple[Tensor, ...]


class Trunk:
    """What the frozen blocks say, in half precision and bounded memory.

    Each image passes through them alone and what they say is rounded before its first use, too: features have the same
    bits whether remembered or computed again, and in whatever batch. Once memory is full, images that came first stay:
    where each epoch visits all of them, any others would serve no better.

    Args:
        segmenter: with an update in place.
        max_bytes: of memory, on the CPU.
        dtype: that answers are kept in. What half precision cannot hold is kept in float32.

    Attributes:
        blocks: how many of the encoder's blocks are in it; see `frozen_blocks`.
    """

    def __init__(self, segmenter: Segmenter, max_bytes: int, dtype: torch.dtype = torch.float16) -> None:
        names = _block_names(segmenter)
        self.blocks = frozen_blocks(segmenter)
        if self.blocks == 0:
            raise ValueError("expected an update that leaves the first blocks of the encoder alone, got another")
        inside = names[: self.blocks]
        kept = {*segmenter.family.landmarks(segmenter.network), inside[-1]}
        module: Callable[[str], nn.Module] = segmenter.network.get_submodule
        self._kept = [module(name) for name in inside if name in kept]
        self._passed = [module(name) for name in inside if name not in kept]
        self._stem = module(segmenter.family.stem)
        self._next = module(names[self.blocks])
        self._stem_shape: torch.Size | None = None
        self._max_bytes, self._dtype = max_bytes, dtype
        self._states: dict[bytes, State] = {}
        self.used_bytes = 0

    def __len__(self) -> int:
        return len(self._states)

    def encode(self, pixels: Tensor, encode: Callable[[Tensor], Features]) -> Features:
        """What `encode` says of pixels (B, 3, S, S), without running the frozen blocks for images that are known."""
        states = [self._state(pixels[row : row + 1], encode) for row in range(len(pixels))]
        joined = [torch.cat(parts).to(pixels.device).float() for parts in zip(*states, strict=True)]
        assert self._stem_shape is not None
        nothing = pixels.new_zeros(()).expand(len(pixels), *self._stem_shape[1:])
        answers: dict[nn.Module, Callable[[Tensor], Tensor]] = {self._stem: lambda _: nothing}
        answers |= dict.fromkeys(self._passed, _unchanged)
        answers |= {block: _always(state) for block, state in zip(self._kept, joined, strict=True)}
        with _answering(answers):
            return encode(pixels)

    def _state(self, pixels: Tensor, encode: Callable[[Tensor], Features]) -> State:
        key = hashlib.blake2b(pixels.detach().cpu().contiguous().numpy().tobytes(), digest_size=16).digest()
        if key in self._states:
            return self._states[key]
        state = tuple(self._rounded(part) for part in self._computed(pixels, encode))
        size = sum(part.nbytes for part in state)
        if self.used_bytes + size <= self._max_bytes:
            self._states[key] = tuple(part.cpu() for part in state)
            self.used_bytes += size
        return state

    @torch.no_grad()
    def _computed(self, pixels: Tensor, encode: Callable[[Tensor], Features]) -> list[Tensor]:
        """What the kept blocks answer; the encoder stops where the blocks that learn begin."""
        found: dict[nn.Module, Tensor] = {}

        def note(module: nn.Module, _: Any, answer: Tensor) -> None:
            found[module] = answer

        handles = [module.register_forward_hook(note) for module in (self._stem, *self._kept)]
        try:
            with _answering({self._next: _stop}):
                encode(pixels)
        except _ReachedError:
            pass
        finally:
            for handle in handles:
                handle.remove()
        self._stem_shape = found[self._stem].shape
        return [found[block] for block in self._kept]

    def _rounded(self, part: Tensor) -> Tensor:
        rounded = part.to(self._dtype)
        return rounded if bool(rounded.isfinite().all()) else part.float()


def frozen_blocks(segmenter: Segmenter) -> int:
    """How many of the encoder's first blocks, and all before them, nothing that learns can change; 0 for none.

    Always 0 for a family that does not say where its encoder begins (`Family.stem`).
    """
    if not segmenter.family.stem:
        return 0
    names = _block_names(segmenter)
    layers = {id(layer) for layer in segmenter.update.renews} if segmenter.update is not None else set()
    learned = [name for name, weight in segmenter.network.named_parameters() if weight.requires_grad]
    learned += [name for name, module in segmenter.network.named_modules() if id(module) in layers]
    first = len(names) - 1  # at least one block is left to run
    for name in learned:
        inside = [number for number, block in enumerate(names) if name.startswith(f"{block}.")]
        if inside:
            first = min(first, inside[0])
        elif name.startswith("vision_encoder.") and not name.startswith("vision_encoder.neck."):
            return 0
    return first


def _block_names(segmenter: Segmenter) -> list[str]:
    pattern = re.compile(segmenter.family.block)
    return [name for name, _ in segmenter.network.named_modules() if pattern.fullmatch(name)]


class _ReachedError(Exception):
    """The first block that learns."""


def _stop(*_: Any, **__: Any) -> Tensor:
    raise _ReachedError


def _unchanged(entering: Tensor, *_: Any, **__: Any) -> Tensor:
    return entering


def _always(state: Tensor) -> Callable[..., Tensor]:
    return lambda *_, **__: state


@contextmanager
def _answering(answers: Mapping[nn.Module, Callable[..., Tensor]]) -> Iterator[None]:
    """Within this context modules answer with other functions than their own `forward`."""
    with ExitStack() as stack:
        for module, answer in answers.items():
            module.forward = answer
            stack.callback(vars(module).__delitem__, "forward")
        yield
