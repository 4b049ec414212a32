"""Tables as the documentation holds them."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table whose first column names the rows; the others, of numbers, are set to the right."""
    return "\n".join([head(columns), *(line(row) for row in rows)])


def head(columns: Sequence[str]) -> str:
    """Its first two lines, for a table that is printed as it grows."""
    return f"{line(columns)}\n{line(['---', *['---:'] * (len(columns) - 1)])}"


def line(cells: Sequence[str]) -> str:
    """One line of it."""
    return f"| {' | '.join(cells)} |"


def mean(values: Sequence[float]) -> str:
    """A cell: mean ± standard deviation of scores; empty without values."""
    return _with_spread(values, ".1f")


def difference(values: Sequence[float]) -> str:
    """A cell: mean ± standard deviation of differences between two scores; empty without values."""
    return _with_spread(values, "+.2f")


def _with_spread(values: Sequence[float], form: str) -> str:
    spread = f" ± {statistics.stdev(values):{form.lstrip('+')}}" if len(values) > 1 else ""
    return f"{statistics.mean(values):{form}}{spread}" if values else ""
