"""What a call will cost, said before it begins."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import torch

from wesam.bench.cells import Cell
from wesam.bench.runner import Bench
from wesam.models.inference import inference
from wesam.updates.load import load_segmenter

# Passes of the encoder that an image of a step stands for: two or three branches, and a backward pass that costs twice
# its forward one.
_PASSES_A_STEP = 8
# A look at the signals of health: 3 views of a few images, with prompts of their own.
_PASSES_A_LOOK = 40
# An image whose grid of points is asked for labels, and one that is scored so with the smaller grid.
_PASSES_A_SEARCH, _PASSES_A_FIND = 40, 10
_DECODER = 1.5  # what the decoder adds to a pass


def budget(bench: Bench, tables: Mapping[str, Sequence[Cell]]) -> list[str]:
    """How many cells of each table are left, and about how long they take here, from the time of one encoder pass.

    Args:
        bench: that runs them.
        tables: the cells of each, by its key; a cell that two share is the first one's.
    """
    left = {key: [one for one in cells if not bench.result_file(one).exists()] for key, cells in tables.items()}
    if not any(left.values()):
        return [f"{sum(map(len, tables.values()))} cells, all there"]
    seconds = _DECODER * _seconds_a_pass(bench) / bench.processes
    lines, total = [], 0.0
    for key, cells in tables.items():
        minutes = seconds * sum(_passes(bench, one) for one in left[key]) / 60
        total += minutes
        lines.append(f"table {key}: {len(cells)} cells, {len(left[key])} left, about {_duration(minutes)}")
    return [*lines, f"together about {_duration(total)} of this machine alone"]


def _duration(minutes: float) -> str:
    return f"{minutes:.0f} minutes" if minutes < 100 else f"{minutes / 60:.1f} hours"


def _passes(bench: Bench, cell: Cell) -> float:
    size = bench.plan.size if bench.folders.get(cell.dataset) is None else bench.plan.real
    images = size.test or 1000
    tests = images * (1 + len(cell.others) + _PASSES_A_FIND * cell.automatic)
    if not cell.arm.learns:
        return tests
    steps = bench.plan.steps * bench.plan.length_of(cell.arm.length)
    looks = bench.plan.steps / bench.plan.measure_every + 1
    scored = looks * tests if cell.curve else 2 * tests
    searched = 0 if cell.arm.labelled else _PASSES_A_SEARCH * (size.train or 1000)
    return steps * bench.plan.images * _PASSES_A_STEP + looks * _PASSES_A_LOOK + scored + searched


def _seconds_a_pass(bench: Bench) -> float:
    """The shortest of a few, as others may use the machine just now."""
    segmenter = load_segmenter(bench.model, device=bench.device)
    side = segmenter.input_size
    with inference(segmenter):
        pixels = torch.zeros(1, 3, side, side, device=next(segmenter.parameters()).device)
        took = []
        for _ in range(5):
            began = time.perf_counter()
            segmenter.encode(pixels)
            took.append(time.perf_counter() - began)
    return min(took)
