"""`wesam check`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wesam.cli.command import Outcome
from wesam.cli.console import say
from wesam.cli.options import (
    BandsOption,
    FormatOption,
    ImagesOption,
    InstancesOption,
    LabelsOption,
    PageOption,
    format_with,
    reading_of,
)
from wesam.errors import WesamError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wesam.types import Sample


def check(
    images: ImagesOption,
    labels: LabelsOption,
    input_size: Annotated[
        int, typer.Option("--input-size", min=1, help="Side of the model's input, in pixels.")
    ] = 1024,
    format: FormatOption = None,
    instances: InstancesOption = None,
    page: PageOption = None,
    bands: BandsOption = None,
    draw: Annotated[
        int, typer.Option("--draw", min=0, help="Pictures of labels on images to draw, evenly over the set.")
    ] = 0,
    out: Annotated[Path, typer.Option("--out", help="Folder for them.", metavar="DIR")] = Path("wesam-check"),
) -> Outcome:
    """Check images and labels and list all problems at once.

    The exit code is 1 where nothing can be used, or less than what is left out.
    """
    from wesam.labels.check import check as run_check
    from wesam.labels.known_masks import count_known, known_masks

    report = run_check(
        images, labels, input_size=input_size, format=format_with(format, instances), reading=reading_of(page, bands)
    )
    say(str(report))
    masks = known_masks(report.samples)
    if masks:
        say(f"wesam adapt: {count_known(masks, report.samples)}")
    pictures = _drawn(report.samples, draw, out) if draw and report.samples else []
    if pictures:
        say(f"pictures: {out}")
    document = {
        "usable": not report.fatal,
        "used": report.tally.used,
        "left_out": report.tally.left_out,
        "summary": asdict(report.summary),
        "masks_to_learn_from": sum(len(sample.instances) for sample in masks),
        "problems": [asdict(problem) for problem in report.problems],
        "pictures": [str(picture) for picture in pictures],
    }
    return Outcome(document, failed=bool(report.fatal) or report.tally.mostly_left_out)


def _drawn(samples: Sequence[Sample], count: int, folder: Path) -> list[Path]:
    """Pictures of so many of the samples; those of an earlier call are replaced, and nothing else."""
    from wesam.evaluation.previews import pick_samples, write_label_pictures
    from wesam.labels.files import OUTPUT_MARK

    if folder.exists() and not (folder / OUTPUT_MARK).exists() and any(folder.iterdir()):
        raise WesamError(f"--out {folder}: expected a new folder, or one of earlier pictures, got one of other files")
    return write_label_pictures(pick_samples(samples, count), folder, numbered=True)
