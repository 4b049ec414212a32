"""Tables as the documentation holds them."""

from __future__ import annotations

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
