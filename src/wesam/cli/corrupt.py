"""`wesam corrupt`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wesam.cli.command import Outcome
from wesam.cli.console import say
from wesam.cli.options import BandsOption, ImagesOption, PageOption, reading_of


def corrupt(
    images: ImagesOption,
    out: Annotated[Path, typer.Option("--out", help="New folder for the corrupted copies.", metavar="DIR")],
    corruption: Annotated[str, typer.Option("--corruption", help="One of the 15 of ImageNet-C, e.g. fog.")],
    severity: Annotated[int, typer.Option("--severity", min=1, max=5)] = 5,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
    page: PageOption = None,
    bands: BandsOption = None,
) -> Outcome:
    """Write a corrupted copy of an image folder (ImageNet-C), which its labels fit; elastic_transform moves pixels."""
    from wesam.corruptions import corrupt_folder

    count = corrupt_folder(images, out, corruption, severity, seed, reading=reading_of(page, bands))
    say(f"{count} images written to {out}")
    return Outcome({"written": out, "images": count})
