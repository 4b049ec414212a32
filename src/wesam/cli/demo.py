"""`wesam demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wesam.cli.console import loss_progress, print_result, say


def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder to write to.", metavar="DIR")] = Path("wesam-demo"),
    steps: Annotated[int, typer.Option("--steps", min=1, help="Adaptation steps.")] = 200,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
) -> None:
    """Offline: adapt the bundled model to generated images that have boxes only; before, after, report."""
    from wesam.demo import run_demo

    with loss_progress() as show:
        result = run_demo(out, steps, seed, show, say)
    print_result(result)
