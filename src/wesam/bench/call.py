"""What a call of `wesam bench` asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wesam.bench.cells import Cell, by_seed, cells_of, take_part
from wesam.bench.methods import BRIEF
from wesam.bench.plan import Plan
from wesam.bench.tables import SAME_ROWS, TABLES
from wesam.bench.target import parse_target
from wesam.errors import WesamError
from wesam.evaluation.ground_truth import SCORED_PROMPTS


def parse_folders(texts: Sequence[str]) -> dict[str, Path | None]:
    """Data sets by name, with where they lie; None for generated ones.

    Raises:
        WesamError: if a text names none.
    """
    return dict(map(parse_target, texts))


def chosen_cells(
    tables: Sequence[str],
    plan: Plan,
    datasets: Sequence[str],
    methods: Sequence[str],
    prompts: Sequence[str],
    part: str | None,
) -> dict[str, list[Cell]]:
    """The cells of each table, each once: under the first table that has it.

    A quick try that names no table runs the first one whole, and of those that ask the same of other images few rows.

    Raises:
        WesamError: if there is no such table, row, prompt or part.
    """
    for name, known, given in (("--table", TABLES, tables), ("--prompt", SCORED_PROMPTS, prompts)):
        unknown = [one for one in given if one not in known]
        if unknown:
            raise WesamError(f"{name}: expected one of {', '.join(known)}, got {unknown[0]!r}")
    asked = [prompt for prompt in SCORED_PROMPTS if prompt in prompts]
    keys = [key for key in TABLES if not tables or key in tables]
    owner: dict[str, str] = {}
    cells: dict[str, Cell] = {}
    for key in keys:
        rows = methods or (BRIEF if plan.quick and not tables and key in SAME_ROWS[1:] else ())
        for cell in cells_of(TABLES[key], plan, datasets, rows, asked):
            owner.setdefault(cell.key, key)
            cells.setdefault(cell.key, cell)
    taken = take_part(by_seed(cells.values()), part)
    return {key: found for key in keys if (found := [cell for cell in taken if owner[cell.key] == key])}
