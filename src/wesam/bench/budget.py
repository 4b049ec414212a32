"""What a call will cost, said before it begins."""

from __future__ import annotations

import time
from collections.abc import Sequence

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
_DECODER = 1.5  # what the decoder adds to a pass  # what the decoder adds to a pass


def budget(bench: Bench, cells: Sequence[Cell]) -> str:
    """How many cells are left and about how long they take here, from the time of one pass of the encoder."""
    left = [cell for cell in cells if not bench.result_file(cell).exists()]
    if not left:
        return f"{len(cells)} cells, all there"
    passes = sum(_passes(bench, cell) for cell in left)
    minutes = passes * _DECODER * _seconds_a_pass(bench) / 60 / bench.processes
    return f"{len(cells)} cells, {len(left)} left to run, about {minutes:.0f} minutes on this machine"


def _passes(bench: Bench, cell: Cell) -> float:
    size = bench.plan.size if bench.folders.get(cell.dataset) is None else bench.plan.real
    tests = (size.test or 1000) * (1 + len(cell.others))
    if not cell.arm.learns:
        return tests
    steps = bench.plan.steps * cell.arm.length
    looks = steps / (bench.plan.measure_every * cell.arm.length) + 1
    scored = looks * tests if cell.curve else 2 * tests
    return steps * bench.plan.images * _PASSES_A_STEP + looks * _PASSES_A_LOOK + scored


def _seconds_a_pass(bench: Bench) -> float:
    segmenter = load_segmenter(bench.model, device=bench.device)
    side = segmenter.input_size
    with inference(segmenter):
        pixels = torch.zeros(1, 3, side, side, device=next(segmenter.parameters()).device)
        segmenter.encode(pixels)  # the first is slower
        began = time.perf_counter()
        segmenter.encode(pixels)
        return time.perf_counter() - began
