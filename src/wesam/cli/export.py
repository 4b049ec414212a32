"""`wesam export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from wesam.cli.command import Outcome
from wesam.cli.console import say
from wesam.cli.options import ModelOption


def export(
    model: ModelOption,
    adapter: Annotated[Path, typer.Option("--adapter", help="Adapter folder of a run.", metavar="DIR")],
    to: Annotated[Literal["transformers", "official"], typer.Option("--to", help="Format.")],
    out: Annotated[Path, typer.Option("--out", help="Folder (transformers) or .pth file (official).", metavar="PATH")],
    overwrite: Annotated[bool, typer.Option("--overwrite")] = False,
) -> Outcome:
    """Merge an adapter into its model and write one that other tools load as any SAM."""
    from wesam.export.official import export_official
    from wesam.export.transformers import export_transformers
    from wesam.updates.load import load_segmenter

    segmenter = load_segmenter(model, adapter, device="cpu")
    writer = export_transformers if to == "transformers" else export_official
    writer(segmenter, out, overwrite=overwrite)
    say(f"written: {out}")
    return Outcome({"written": out})
