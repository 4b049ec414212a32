"""What the shapes of a checkpoint's tensors say, and whether all that an architecture needs are there."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from wesam.errors import WesamError


class Shapes:
    """Reads an architecture off a state dict.

    Args:
        state: tensors under the publisher's names.
        kind: what it should be, in the message of an error.
    """

    def __init__(self, state: Mapping[str, Tensor], kind: str) -> None:
        self._state = state
        self._kind = kind

    def __contains__(self, name: str) -> bool:
        return name in self._state

    def of(self, name: str, dimensions: int) -> tuple[int, ...]:
        """The shape of a tensor.

        Raises:
            WesamError: if there is none, or it has another number of dimensions.
        """
        if name not in self._state:
            raise WesamError(
                f"expected an original {self._kind} checkpoint with tensor {name}, "
                f"got {len(self._state)} tensors: {', '.join(sorted(self._state)[:3]) or 'none'} ..."
            )
        shape = tuple(self._state[name].shape)
        if len(shape) != dimensions:
            raise WesamError(f"tensor {name}: expected {dimensions} dimensions, got shape {shape}")
        return shape

    def count(self, pattern: str) -> int:
        """One more than the largest number that the pattern's group finds at the start of a name; 0 without any."""
        found = [int(match[1]) for match in map(re.compile(pattern).match, self._state) if match]
        return max(found, default=-1) + 1


def check_shapes(state: Mapping[str, Tensor], kind: str, expected: Mapping[str, tuple[int, ...]]) -> None:
    """Raises:
    WesamError: if a tensor is missing, unknown or of another shape.
    """
    missing, unknown = sorted(expected.keys() - state.keys()), sorted(state.keys() - expected.keys())
    if missing or unknown:
        raise WesamError(
            f"expected {len(expected)} tensors of a {kind}, got {len(state)}: "
            f"{_listed('missing', missing)}; {_listed('unknown', unknown)}"
        )
    for name, shape in expected.items():
        if tuple(state[name].shape) != shape:
            raise WesamError(f"tensor {name}: expected shape {shape}, got {tuple(state[name].shape)}")


def _listed(word: str, names: list[str]) -> str:
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return f"{word} {', '.join(names[:4]) or 'none'}{more}"
