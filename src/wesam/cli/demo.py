"""`wesam demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wesam.cli.command import Outcome
from wesam.cli.console import say
from wesam.cli.progress import loss_progress
from wesam.cli.tables import print_result


def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder to write to.", metavar="DIR")] = Path("wesam-demo"),
    steps: Annotated[int, typer.Option("--steps", min=1, help="Adaptation steps.")] = 180,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
    model: Annotated[str | None, typer.Option("--model", help="Another model.", metavar="M", hidden=True)] = None,
) -> Outcome:
    """Offline: adapt a bundled model to generated images that have boxes only; report with before and after."""
    from wesam.demo import run_demo

    with loss_progress() as show:
        result = run_demo(out, steps, seed, show, say, model)
    print_result(result)
    return Outcome(result.document())
