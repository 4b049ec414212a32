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
    InstancesOption,
    ModelOption,
    OverlapOption,
    PageOption,
    PrecisionOption,
    TileOption,
    format_with,
    overlap_of,
    reading_of,
)
from wesam.cli.progress import image_progress


def predict(
    model: ModelOption,
    images: ImagesOption,
    out: Annotated[Path, typer.Option("--out", help="Folder to write masks to.", metavar="DIR")],
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels", help="What to segment: boxes, points. Absent: the model finds objects itself.", metavar="PATH"
        ),
    ] = None,
    adapter: AdapterOption = None,
    prompt: Annotated[
        Literal["auto", "box", "point", "mask"],
        typer.Option("--prompt", help="Which kind of label to prompt with."),
    ] = "auto",
    points_per_side: Annotated[
        int | None,
        typer.Option(
            "--points-per-side", min=1, max=256, help="Of the grid, without --labels; more for small objects."
        ),
    ] = None,
    tile: TileOption = None,
    overlap: OverlapOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier prediction in --out.")] = False,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "fp32",
    format: FormatOption = None,
    instances: InstancesOption = None,
    page: PageOption = None,
    bands: BandsOption = None,
) -> Outcome:
    """Segment every labelled object, or without labels what the model finds: COCO masks, instance maps, pictures."""
    from wesam.automatic.settings import AutomaticSettings, GridSettings
    from wesam.evaluation.found import predict_found
    from wesam.evaluation.predict import predict as run_prediction
    from wesam.labels.check import load_samples
    from wesam.labels.unlabelled import load_unlabelled
    from wesam.updates.load import load_segmenter

    shared = overlap_of(tile, overlap)
    if labels is None:
        given = (("--prompt", prompt != "auto"), ("--format", format), ("--instances", instances))
        for option, useless in given:
            if useless:
                raise typer.BadParameter("needs --labels", param_hint=option)
        samples, problems = load_unlabelled(images, reading_of(page, bands))
        for problem in problems:
            say(f"{'skipped' if problem.severity == 'skip' else problem.severity}: {problem}")
        grid = GridSettings() if points_per_side is None else GridSettings(points_per_side=points_per_side)
        segmenter = load_segmenter(model, adapter, device, precision)
        with image_progress(len(samples)) as advance:
            results, found = predict_found(
                segmenter,
                samples,
                out,
                AutomaticSettings(grid=grid),
                tile=tile,
                overlap=shared,
                overwrite=overwrite,
                on_image=advance,
            )
        say(f"{len(found.scores)} masks on {len(found.prompted)} of {len(samples)} images: {results}")
        return Outcome({"written": results, "images": len(samples), "masks": len(found.scores)})
    if points_per_side is not None:
        raise typer.BadParameter("is for images without --labels", param_hint="--points-per-side")
    samples, report = load_samples(
        images, labels, format=format_with(format, instances), reading=reading_of(page, bands)
    )
    for line in report.lines():
        say(line)
    segmenter = load_segmenter(model, adapter, device, precision)
    with image_progress(len(samples)) as advance:
        results = run_prediction(
            segmenter, samples, out, prompt=prompt, tile=tile, overlap=shared, overwrite=overwrite, on_image=advance
        )
    say(f"masks of {len(samples)} images: {results}")
    masks = sum(len(sample.instances) for sample in samples)
    return Outcome({"written": results, "images": len(samples), "masks": masks})
