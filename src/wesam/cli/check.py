"""`wesam check`."""

from __future__ import annotations

from typing import Annotated

import typer

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
) -> None:
    """Look through images and labels and list all problems at once.

    The exit code is 1 where nothing can be used, or less than what is left out.
    """
    from wesam.labels.check import check as run_check

    report = run_check(images, labels, input_size=input_size, format=format, reading=reading_of(page, bands))
    say(str(report))
    raise typer.Exit(1 if report.fatal or report.tally.mostly_left_out else 0)
