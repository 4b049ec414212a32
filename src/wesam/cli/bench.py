"""`wesam bench`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from wesam.cli.command import Outcome
from wesam.cli.console import say
from wesam.cli.options import DeviceOption

# How long other processes wait while one scores.
_PATIENCE = timedelta(hours=6)


def bench(
    out: Annotated[Path, typer.Option("--out", help="Folder of results and pages; finished cells are kept.")],
    table: Annotated[
        list[str] | None,
        typer.Option("--table", help="2 to 9, 7-curves, automatic, images, sloppy; repeatable. Absent: all."),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A try: one data set, few images, steps and prompts.")] = False,
    paper: Annotated[bool, typer.Option("--paper", help="The paper's run length, for real data sets.")] = False,
    dataset: Annotated[
        list[str] | None,
        typer.Option(
            "--dataset",
            help="In place of the generated ones: NAME=DIR (kvasir=DIR, or mine=DIR for any COCO folder), or smear, "
            "robotic, ...; repeatable.",
        ),
    ] = None,
    method: Annotated[
        list[str] | None, typer.Option("--method", help="Rows to run beside direct; repeatable. Absent: all.")
    ] = None,
    prompt: Annotated[list[str] | None, typer.Option("--prompt", help="box, point, mask, click; repeatable.")] = None,
    model: Annotated[str, typer.Option("--model", help="As for adapt.", metavar="M")] = "wesam-edge",
    cell: Annotated[str | None, typer.Option("--cell", help="i/n: every n-th cell, for job arrays.")] = None,
    pages_only: Annotated[bool, typer.Option("--pages-only", help="Render what is there, run nothing.")] = False,
    rates: Annotated[
        bool,
        typer.Option("--rates", help="Choose each method's learning rate of three, without masks; no cell is run."),
    ] = False,
    device: DeviceOption = "auto",
) -> Outcome | None:
    """The paper's tables with every method it compares; resumes, and renders Markdown, CSV, LaTeX and HTML."""
    from accelerate import PartialState

    from wesam.bench.budget import budget
    from wesam.bench.call import chosen_cells, parse_folders
    from wesam.bench.cells import by_seed
    from wesam.bench.methods import COMPARED
    from wesam.bench.plan import FULL, PAPER, QUICK
    from wesam.bench.rates import choose_rates, read_rates
    from wesam.bench.render import write_pages
    from wesam.bench.result import read_results
    from wesam.bench.runner import Bench, run_cells
    from wesam.errors import WesamError

    if quick and paper:
        raise WesamError("expected --quick or --paper, got both")
    plan = QUICK if quick else PAPER if paper else FULL
    state = PartialState(cpu=device == "cpu", timeout=_PATIENCE)
    folders = parse_folders(dataset or [])
    work = Bench(model, out, plan, folders, read_rates(out), device, state.num_processes, state.is_main_process)
    tell = say if work.main else (lambda _: None)
    if rates:
        choose_rates(work, COMPARED, tell)
    elif not pages_only:
        tables = chosen_cells(table or [], plan, list(folders), method or [], prompt or [], cell)
        for line in budget(work, tables):
            tell(line)
        run_cells(work, by_seed(one for cells in tables.values() for one in cells), tell)
    if not work.main:
        return None
    pages = list(write_pages(read_results(out / "results"), out))
    for page in pages:
        say(f"written: {page}")
    return Outcome({"results": out / "results", "pages": pages})
