"""`wesam export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wesam.cli.command import Outcome
from wesam.cli.console import say
from wesam.cli.options import ModelOption


def export(
    model: ModelOption,
    to: Annotated[str, typer.Option("--to", help="Format: transformers, or official (the publisher's own).")],
    out: Annotated[Path, typer.Option("--out", help="Folder (transformers) or file (official).", metavar="PATH")],
    adapter: Annotated[
        Path | None,
        typer.Option("--adapter", help="Adapter folder of a run; without one the model is converted.", metavar="DIR"),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite")] = False,
) -> Outcome:
    """Write a model, with an adapter merged into it, for other tools to load as any of its family."""
    from wesam.export.exporters import export_model
    from wesam.updates.load import load_segmenter

    export_model(load_segmenter(model, adapter, device="cpu"), to, out, overwrite=overwrite)
    say(f"written: {out}")
    return Outcome({"written": out})
