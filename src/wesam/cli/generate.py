"""`wesam generate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wesam.cli.command import Outcome
from wesam.cli.console import say


def generate(
    out: Annotated[Path, typer.Option("--out", help="Folder of the dataset.", metavar="DIR")],
    family: Annotated[
        str,
        typer.Option(
            "--family",
            help="source (what wesam-tiny learnt from), or shifted: natural, corrupted, medical (smear, ultrasound, "
            "endoscopy), camouflaged, robotic.",
        ),
    ] = "natural",
    train: Annotated[int, typer.Option("--train", min=1, help="Images with boxes, to adapt to.")] = 100,
    test: Annotated[int, typer.Option("--test", min=1, help="Other images with masks, to score on.")] = 50,
    size: Annotated[int, typer.Option("--size", min=64, help="Side of the images, pixels.")] = 256,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
) -> Outcome:
    """Draw images with exact masks, and boxes to adapt from, as a COCO dataset; nothing is downloaded."""
    from wesam.generated import write_coco

    written = [
        *write_coco(family, out, train, seed, split="train", size=size),
        *write_coco(family, out, test, seed, split="test", size=size),
    ]
    say(f"{train} train and {test} test images of {family} in {out / 'images'}")
    for path in written:
        say(f"  {path}")
    return Outcome({"images": out / "images", "train": train, "test": test, "written": written})
