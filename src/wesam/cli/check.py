"""`wesam check`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from wesam.cli.command import Outcome
from wesam.cli.console import say
from wesam.cli.options import BandsOption, FormatOption, ImagesOption, LabelsOption, PageOption, reading_of


def check(
    images: ImagesOption,
    labels: LabelsOption,
    input_size: Annotated[
        int, typer.Option("--input-size", min=1, help="Side of the model's input, in pixels.")
    ] = 1024,
    format: FormatOption = None,
    page: PageOption = None,
    bands: BandsOption = None,
) -> Outcome:
    """Look through images and labels and list all problems at once.

    The exit code is 1 where nothing can be used, or less than what is left out.
    """
    from wesam.labels.check import check as run_check

    report = run_check(images, labels, input_size=input_size, format=format, reading=reading_of(page, bands))
    say(str(report))
    document = {
        "usable": not report.fatal,
        "used": report.tally.used,
        "left_out": report.tally.left_out,
        "summary": asdict(report.summary),
        "problems": [asdict(problem) for problem in report.problems],
    }
    return Outcome(document, failed=bool(report.fatal) or report.tally.mostly_left_out)
