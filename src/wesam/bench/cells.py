"""The cells of a table: every row on every data set, with every prompt and seed, what matters most first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wesam.bench.arm import Arm
from wesam.bench.plan import Plan
from wesam.bench.tables import Table
from wesam.errors import WesamError
from wesam.evaluation.ground_truth import ScoredPrompt

_WORDS = re.compile(r"[^\w.+-]+")


@dataclass(frozen=True)
class Cell:
    """One run and its scores.

    Attributes:
        arm: the row.
        dataset: name of the data set.
        prompt: of training, and of the score that counts.
        seed: of prompts, order and views.
        others: prompts that are scored beside it.
        curve: whether every step that was measured on the way is scored.
        automatic: whether it is scored too what is found without any prompt.
    """

    arm: Arm
    dataset: str
    prompt: ScoredPrompt
    seed: int
    others: tuple[ScoredPrompt, ...] = ()
    curve: bool = False
    automatic: bool = False

    @property
    def pictured(self) -> bool:
        """Whether masks before and after are drawn beside the truth."""
        plain = not (self.curve or self.others or self.automatic)
        return self.arm.pictured and plain and self.seed == 0

    @property
    def key(self) -> str:
        """A path for its files, without suffix; cells that tables share have one file."""
        kind = "curves" if self.curve else "crossed" if self.others else "found" if self.automatic else "cells"
        words = (kind, self.dataset, self.prompt, f"{self.arm.name}-seed{self.seed}")
        return "/".join(_WORDS.sub("-", word) for word in words)


def cells_of(
    table: Table,
    plan: Plan,
    datasets: Sequence[str] = (),
    methods: Sequence[str] = (),
    prompts: Sequence[ScoredPrompt] = (),
) -> list[Cell]:
    """All cells of a table, in the order they are run in: seed by seed, prompt by prompt, data set by data set.

    Args:
        table: whose rows to run.
        plan: how much of it.
        datasets: in place of the table's own.
        methods: names of rows, in place of all; Direct is always there to compare with.
        prompts: in place of the table's own.

    Raises:
        WesamError: if the table has no such row.
    """
    known = {arm.name for arm in table.arms}
    unknown = [name for name in methods if name not in known]
    if unknown:
        raise WesamError(
            f"--method: expected rows of table {table.key} ({', '.join(sorted(known))}), got {unknown[0]!r}"
        )
    named = tuple(datasets) or table.quick_datasets if plan.quick else tuple(datasets) or table.datasets
    asked = tuple(prompts) or (table.quick_prompts if plan.quick else table.prompts)
    arms = [arm for arm in table.arms if not methods or arm.name in methods or not arm.learns]
    cells = [
        Cell(arm, dataset, prompt, seed, table.others, table.curve, table.automatic)
        for prompt in asked
        for seed in (plan.seeds_of(prompt)[:1] if table.one_seed else plan.seeds_of(prompt))
        for dataset in named
        for arm in arms
        if dataset not in table.few_only or (arm.name in table.few and seed == plan.seeds[0])
        if arm.train_images is None or plan.has_more_images(arm.train_images, dataset in table.datasets)
        if not arm.prompts or prompt in arm.prompts
    ]
    return by_seed(cells)


def by_seed(cells: Iterable[Cell]) -> list[Cell]:
    """In the order given, but a first seed of everything before the second."""
    return sorted(cells, key=lambda cell: cell.seed)


def take_part(cells: Sequence[Cell], part: str | None) -> list[Cell]:
    """Every n-th cell, from the i-th on, of "i/n" with i from 1 to n: the work of one job of an array.

    Raises:
        WesamError: if the text is of another form.
    """
    if part is None:
        return list(cells)
    found = re.fullmatch(r"(\d+)/(\d+)", part)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise WesamError(f"--cell: expected i/n with i from 1 to n, got {part!r}")
    return list(cells[int(found[1]) - 1 :: int(found[2])])
