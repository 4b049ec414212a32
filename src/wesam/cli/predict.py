"""`wesam predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from wesam.cli.command import Outcome
from wesam.cli.console import say
from wesam.cli.options import (
    AdapterOption,
    BandsOption,
    DeviceOption,
    FormatOption,
    ImagesOption,
    ModelOption,
    OverlapOption,
    PageOption,
    PrecisionOption,
    TileOption,
    overlap_of,
    reading_of,
)
from wesam.cli.progress import image_progress


def predict(
    model: ModelOption,
    images: ImagesOption,
    labels: Annotated[Path, typer.Option("--labels", help="What to segment: boxes, points.", metavar="PATH")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write masks to.", metavar="DIR")],
    adapter: AdapterOption = None,
    prompt: Annotated[
        Literal["auto", "box", "point", "mask"],
        typer.Option("--prompt", help="Which kind of label to prompt with."),
    ] = "auto",
    tile: TileOption = None,
    overlap: OverlapOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier prediction in --out.")] = False,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "fp32",
    format: FormatOption = None,
    page: PageOption = None,
    bands: BandsOption = None,
) -> Outcome:
    """Segment every labelled object: COCO masks, instance maps, pictures."""
    from wesam.evaluation.predict import predict as run_prediction
    from wesam.labels.check import load_samples
    from wesam.updates.load import load_segmenter

    shared = overlap_of(tile, overlap)
    samples, report = load_samples(images, labels, format=format, reading=reading_of(page, bands))
    for line in report.lines():
        say(line)
    segmenter = load_segmenter(model, adapter, device, precision)
    with image_progress(len(samples)) as advance:
        results = run_prediction(
            segmenter, samples, out, prompt=prompt, tile=tile, overlap=shared, overwrite=overwrite, on_image=advance
        )
    say(f"masks of {len(samples)} images: {results}")
    return Outcome({"written": results, "images": len(samples)})
