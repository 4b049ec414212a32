"""The learning rate of each method: one of three, chosen without masks."""

from __future__ import annotations

from collections.abc import Mapping

#: Every method has the same three to choose from.
RATES = (1e-4, 5e-4, 2e-3)

DEFAULT_RATE = 5e-4

#: What `wesam bench --rates` chose for the bundled model; a method that is not here has `DEFAULT_RATE`.
CHOSEN: Mapping[str, float] = {}


def rate_of(name: str) -> float:
    """The learning rate of a row."""
    return CHOSEN.get(name, DEFAULT_RATE)
