"""From results to tables of numbers: what is shown is decided here, how it looks in `render`."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from wesam.bench.published import BOX_MIOU
from wesam.bench.result import Result, Score, of_rows
from wesam.bench.tables import TABLES, Table
from wesam.evaluation.bootstrap import Interval, paired_interval

DIRECT = "direct"

#: Seconds to label an object. Box and polygon: Jain & Grauman, ICCV 2013; click: Papadopoulos et al., CVPR 2017.
SECONDS = {"box": 7.0, "click": 1.5, "mask": 54.0}
_RESAMPLES = 1000


@dataclass(frozen=True)
class Entry:
    """One number of a table, in percent where it is a score.

    Attributes:
        mean: over seeds.
        spread: standard deviation over seeds; None for one seed.
        last: the same mean for the last step; None where the number is no score.
        against: the difference to Direct, paired over images, with its interval; None where there is nothing to pair.
    """

    mean: float
    spread: float | None = None
    last: float | None = None
    against: Interval | None = None


@dataclass(frozen=True)
class Grid:
    """A table of numbers.

    Attributes:
        title: what it shows.
        columns: names of its columns, but the first.
        rows: a name each, and an entry a column; None where no cell was run.
        digits: behind the point.
        note: what a reader must know.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Entry | None, ...]], ...]
    digits: int = 1
    note: str = ""


def sections(results: Sequence[Result]) -> list[tuple[str, list[Grid]]]:
    """All tables that there are results for, by their headings."""
    found = [(f"Table {table.key}: {table.title}", grids_of(table, results)) for table in TABLES.values()]
    return [("Table 1: Data sets and splits", _splits(results)), *found] if results else []


def _splits(results: Sequence[Result]) -> list[Grid]:
    rows: list[tuple[str, tuple[Entry | None, ...]]] = []
    for dataset in _datasets(results):
        own = [result for result in results if result.dataset == dataset]
        learned = max(own, key=lambda result: (result.trained.images, result.trained.labels)).trained
        counts = (learned.images, learned.labels, len(own[0].last.images))
        versions = ", ".join(sorted({result.version for result in own}))
        rows.append((f"{dataset} (version {versions})", tuple(Entry(count) for count in counts)))
    columns = ("images to adapt to", "objects labelled on them", "images scored on")
    note = "no image is in both halves; objects as far as rows of these results were given them"
    return [Grid("Data sets and splits", columns, tuple(rows), digits=0, note=note)]


def grids_of(table: Table, results: Sequence[Result]) -> list[Grid]:
    """All that a table shows of the results there are; none where there are none."""
    own = [result for result in results if _belongs(table, result)]
    grids = [
        grid for prompt in table.prompts for grid in (_scores(table, own, prompt), _beside(table, own, prompt)) if grid
    ]
    if table.others:
        grids = [grid for dataset in _datasets(own) if (grid := _crossed(table, own, dataset)) is not None]
    grids += [grid for grid in (_found(table, own), _costs(table, own)) if grid is not None]
    return grids


def _belongs(table: Table, result: Result) -> bool:
    if result.method not in {arm.name for arm in table.arms}:
        return False
    if bool(result.selected.others) != bool(table.others) or (result.selected.automatic is not None) != table.automatic:
        return False
    if bool(result.last.curve) != (table.curve and result.method != DIRECT):
        return False
    generated_elsewhere = {*table.datasets, *table.real}
    known = result.dataset in generated_elsewhere
    return known or _is_own(result.dataset)


def _is_own(dataset: str) -> bool:
    """Whether it is a user's: such a data set is shown in every table that was run on it."""
    return not any(dataset in (*table.datasets, *table.real) for table in TABLES.values())


def _datasets(results: Sequence[Result]) -> list[str]:
    return list(dict.fromkeys(result.dataset for result in results))


def _ordered(table: Table, results: Sequence[Result]) -> list[str]:
    """The data sets of results in the table's order, a user's own behind."""
    there = _datasets(results)
    order = [name for name in (*table.datasets, *table.real) if name in there]
    return order + [name for name in there if name not in order]


def _scores(table: Table, results: Sequence[Result], prompt: str) -> Grid | None:
    of_prompt = [result for result in results if result.prompt == prompt]
    datasets = _ordered(table, of_prompt)
    if not datasets:
        return None
    rows = []
    for arm in table.arms:
        entries = tuple(_entry(of_prompt, dataset, prompt, arm.name) for dataset in datasets)
        if any(entry is not None for entry in entries):
            rows.append((arm.name, entries))
    rows += _published(datasets, prompt)
    seeds = sorted({result.seed for result in of_prompt})
    rule = next((result.selected.rule for result in of_prompt if result.method != DIRECT), "none")
    note = (
        f"mIoU in percent at the step that the rule {rule} chose without masks, in brackets at the last step; "
        f"{len(seeds)} seed{'s' if len(seeds) > 1 else ''}; ▲ better and ▼ worse than Direct (95 % paired bootstrap "
        f"over images)"
    )
    return Grid(f"{table.title}: {prompt} prompts", tuple(datasets), tuple(rows), note=note)


def _beside(table: Table, results: Sequence[Result], prompt: str) -> Grid | None:
    """Dice and boundary IoU, which say the same in other units, and how well outlines are met."""
    of_prompt = [result for result in results if result.prompt == prompt]
    datasets = _ordered(table, of_prompt)
    rows = []
    for arm in table.arms:
        entries: list[Entry | None] = []
        for dataset in datasets:
            own = [result.selected for result in of_rows(of_prompt, dataset, prompt, arm.name)]
            entries.append(_mean([score.dice for score in own]))
            entries.append(_mean([score.boundary_iou for score in own if score.boundary_iou is not None]))
        if any(entries):
            rows.append((arm.name, tuple(entries)))
    columns = tuple(f"{dataset}, {metric}" for dataset in datasets for metric in ("Dice", "boundary IoU"))
    note = "in percent at the selected step, mean over seeds"
    return (
        Grid(f"{table.title}: {prompt} prompts, Dice and boundary IoU", columns, tuple(rows), note=note)
        if rows
        else None
    )


def _found(table: Table, results: Sequence[Result]) -> Grid | None:
    """What is found without any prompt."""
    with_found = [result for result in results if result.selected.automatic is not None]
    datasets = _ordered(table, with_found)
    rows = []
    for arm in table.arms:
        entries: list[Entry | None] = []
        for dataset in datasets:
            own = [r.selected.automatic for r in with_found if (r.method, r.dataset) == (arm.name, dataset)]
            for metric in ("ap", "ap50", "recall"):
                entries.append(_mean([getattr(found, metric) for found in own if found is not None]))
        if any(entries):
            rows.append((arm.name, tuple(entries)))
    columns = tuple(f"{dataset}, {metric}" for dataset in datasets for metric in ("AP", "AP50", "recall"))
    note = (
        "COCO's average precision and recall (IoUs of 0.5 to 0.95, without classes) in percent at the selected step, "
        "of masks that a grid of 16 x 16 points finds"
    )
    return Grid(f"{table.title}: average precision", columns, tuple(rows), note=note) if rows else None


def _mean(values: Sequence[float]) -> Entry | None:
    """In percent."""
    return Entry(100 * statistics.mean(values)) if values else None


def labelling_curves(table: Table, results: Sequence[Result]) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """By data set and kind of prompt: minutes of labelling against mIoU in percent, from the source model at 0 on."""
    found: dict[str, dict[str, list[tuple[float, float]]]] = {}
    own = [result for result in results if _belongs(table, result)]
    for dataset, prompt in dict.fromkeys((result.dataset, result.prompt) for result in own):
        points = []
        for arm in table.arms:
            rows = of_rows(own, dataset, prompt, arm.name)
            if rows:
                minutes = statistics.mean(_labelling(row) for row in rows)
                points.append((minutes, 100 * statistics.mean(row.selected.miou for row in rows)))
        if len(points) > 1:
            found.setdefault(dataset, {})[f"{prompt} prompts"] = sorted(points)
    return found


def _entry(results: Sequence[Result], dataset: str, prompt: str, method: str) -> Entry | None:
    own = of_rows(results, dataset, prompt, method)
    if not own:
        return None
    selected = [100 * result.selected.miou for result in own]
    against = None
    direct = {result.seed: result for result in of_rows(results, dataset, prompt, DIRECT)}
    pairs = [(direct[result.seed].selected, result.selected) for result in own if result.seed in direct]
    if pairs and method != DIRECT:
        against = _interval([first for first, _ in pairs], [second for _, second in pairs])
    spread = statistics.stdev(selected) if len(selected) > 1 else None
    last = statistics.mean(100 * result.last.miou for result in own)
    return Entry(statistics.mean(selected), spread, last, against)


def _interval(first: Sequence[Score], second: Sequence[Score]) -> Interval | None:
    """Paired over images; an image's value is its mean over seeds."""
    if len({len(score.images) for score in (*first, *second)}) != 1:
        return None
    means = (tuple(np.mean([score.images for score in scores], axis=0).tolist()) for scores in (first, second))
    return _paired(*means)


@lru_cache(maxsize=4096)  # every page asks for the same
def _paired(first: tuple[float, ...], second: tuple[float, ...]) -> Interval:
    return paired_interval(first, second, resamples=_RESAMPLES)


def _published(datasets: Sequence[str], prompt: str) -> list[tuple[str, tuple[Entry | None, ...]]]:
    """The paper's figures beside ours, where one of its data sets is shown."""
    shown = [BOX_MIOU.get(dataset) for dataset in datasets]
    if prompt != "box" or not any(shown):
        return []
    names = next(iter(BOX_MIOU.values()))
    return [
        (f"as published: {name}", tuple(None if one is None else Entry(one[name]) for one in shown)) for name in names
    ]


def _crossed(table: Table, results: Sequence[Result], dataset: str) -> Grid | None:
    """Prompts of training by prompts of test."""
    rows: list[tuple[str, tuple[Entry | None, ...]]] = []
    own = [result for result in results if result.dataset == dataset]
    for arm in table.arms:
        for prompt in table.prompts:
            found = of_rows(own, dataset, prompt, arm.name)
            if not found or (arm.name == DIRECT and rows):
                continue
            entries = []
            for test in table.others:
                scores = [100 * result.selected.others[test].miou for result in found]
                spread = statistics.stdev(scores) if len(scores) > 1 else None
                entries.append(Entry(statistics.mean(scores), spread))
            rows.append((arm.name if arm.name == DIRECT else f"{arm.name}: {prompt}", tuple(entries)))
    note = "rows: method and prompt of training; columns: prompt of test; mIoU in percent at the selected step"
    return Grid(f"{table.title}: {dataset}", table.others, tuple(rows), note=note) if rows else None


def _costs(table: Table, results: Sequence[Result]) -> Grid | None:
    rows = []
    for arm in table.arms:
        own = [result for result in results if result.method == arm.name and result.trained.count]
        if own:
            values = (
                statistics.mean(result.trained.count for result in own) / 1000,
                statistics.mean(result.minutes for result in own),
                max(result.peak_mb for result in own),
                statistics.mean(result.trained.learning_rate for result in own) * 1e4,
                statistics.mean(_labelling(result) for result in own),
            )
            rows.append((arm.name, tuple(Entry(value) for value in values)))
    columns = ("thousand weights", "minutes", "peak MB", "learning rate, 1e-4", "minutes of labelling")
    note = "labelling: 7 s a box, 54 s an outline (Jain & Grauman 2013), 1.5 s a click (Papadopoulos et al. 2017)"
    return Grid(f"{table.title}: what it costs", columns, tuple(rows), note=note) if rows else None


def _labelling(result: Result) -> float:
    seconds = SECONDS.get(result.prompt, 10 * SECONDS["click"])  # 5 + 5 points
    return result.trained.labels * seconds / 60
