"""One cell on as many processes as this is started with: `python -m tests.bench.one_cell MODEL DATA OUT`."""

from __future__ import annotations

import sys
from pathlib import Path

from accelerate import PartialState

from wesam.bench.cells import Cell
from wesam.bench.methods import OURS
from wesam.bench.plan import Plan
from wesam.bench.runner import Bench, run_cells
from wesam.bench.target import Size

PLAN = Plan(
    size=Size(2, 1),
    real=Size(4, 2),
    steps=3,
    images=4,
    micro_batch=2,
    seeds=(0,),
    other_seeds=(0,),
    measure_every=3,
    quick=True,
)
#: Three steps at so high a rate, of weights and not of their average, change masks; student prompts draw at random.
_ARM = OURS.variant("ours, shared teacher", {"method": {"teacher": "shared"}}, rate=0.02)
CELL = Cell(_ARM, "mine", "box", 0, curve=True)


def main(model: str, data: Path, out: Path) -> None:
    """Runs the cell; the first process writes its result."""
    state = PartialState(cpu=True)
    bench = Bench(
        model, out, PLAN, {"mine": data}, device="cpu", processes=state.num_processes, main=state.is_main_process
    )
    run_cells(bench, [CELL], lambda _: None)
    state.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
