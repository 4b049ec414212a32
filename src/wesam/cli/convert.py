"""`wesam convert`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wesam.cli.command import Outcome
from wesam.cli.console import say
from wesam.cli.options import FormatOption, ImagesOption, InstancesOption, LabelsOption, format_with


def convert(
    images: ImagesOption,
    labels: LabelsOption,
    out: Annotated[Path, typer.Option("--out", help="COCO JSON to write.", metavar="FILE")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write over an older --out.")] = False,
    format: FormatOption = None,
    instances: InstancesOption = None,
) -> Outcome:
    """Write labels of any format as COCO JSON; what cannot be used is listed and left out.

    A mask without a box gets one, as other tools expect: `--prompt auto` then prompts with it, no longer with the mask.
    """
    from wesam.errors import WesamError
    from wesam.labels.check import load_samples
    from wesam.labels.write_coco import write_coco

    if out.exists() and out.resolve().is_relative_to(labels.resolve()):
        raise WesamError(
            f"--out {out}: lies in --labels, whose files may hold more than is converted; write to another place"
        )
    if out.exists() and not overwrite:
        raise WesamError(f"--out {out}: already exists; --overwrite replaces it")
    samples, report = load_samples(images, labels, decode=False, format=format_with(format, instances))
    for line in report.lines():
        say(line)
    write_coco(samples, out, whole=True)
    say(f"{report.summary}; written to {out}")
    if report.tally.left_out:
        say(str(report.tally))
    document = {"written": out, "used": report.tally.used, "left_out": report.tally.left_out}
    return Outcome(document, failed=report.tally.mostly_left_out)
