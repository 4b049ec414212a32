"""`wesam convert`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wesam.cli.console import say
from wesam.cli.options import FormatOption, ImagesOption, LabelsOption


def convert(
    images: ImagesOption,
    labels: LabelsOption,
    out: Annotated[Path, typer.Option("--out", help="COCO JSON to write.", metavar="FILE")],
    format: FormatOption = None,
) -> None:
    """Write labels of any format as COCO JSON; what cannot be used is listed and left out."""
    from wesam.errors import WesamError
    from wesam.labels.check import load_samples
    from wesam.labels.write_coco import write_coco

    if out.exists() and out.resolve() == labels.resolve():
        raise WesamError(f"--out {out}: expected another file than --labels, which may hold more than is converted")
    samples, report = load_samples(images, labels, decode=False, format=format)
    for line in report.lines():
        say(line)
    write_coco(samples, out, whole=True)
    say(f"{report.summary}; written to {out}")
