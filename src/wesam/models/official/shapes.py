"""Whether a state dict holds the tensors that an architecture needs."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from wesam.errors import WesamError


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
