"""`wesam prompts`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wesam.cli.command import Outcome
from wesam.cli.console import say
from wesam.cli.options import (
    AdapterOption,
    BandsOption,
    DeviceOption,
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
from wesam.errors import WesamError

if TYPE_CHECKING:
    from wesam.automatic.settings import AutomaticSettings


def prompts(
    model: ModelOption,
    images: ImagesOption,
    out: Annotated[Path, typer.Option("--out", help="COCO JSON to write.", metavar="FILE")],
    adapter: AdapterOption = None,
    points_per_side: Annotated[
        int | None, typer.Option("--points-per-side", help="Of the grid; more for small objects (32).")
    ] = None,
    iou_quantile: Annotated[
        float | None,
        typer.Option("--iou-quantile", help="Fraction of masks dropped for their low predicted IoU (0.75)."),
    ] = None,
    stability_quantile: Annotated[
        float | None,
        typer.Option("--stability-quantile", help="Fraction of the others dropped as unstable (0.75)."),
    ] = None,
    iou_threshold: Annotated[
        float | None, typer.Option("--iou-threshold", help="Least predicted IoU, instead of the quantile.")
    ] = None,
    stability_threshold: Annotated[
        float | None, typer.Option("--stability-threshold", help="Least stability, instead of the quantile.")
    ] = None,
    tile: TileOption = None,
    overlap: OverlapOption = None,
    cache: Annotated[
        Path | None,
        typer.Option("--cache", help="Folder of what the model predicted; absent: beside --out.", metavar="DIR"),
    ] = None,
    previews: Annotated[int, typer.Option("--previews", min=0, help="Pictures to draw, beside --out.")] = 4,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write over an older --out.")] = False,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "fp32",
    page: PageOption = None,
    bands: BandsOption = None,
) -> Outcome:
    """Find prompts in images without labels, for you to check and correct: masks, boxes, a point each."""
    from wesam.automatic.cache import CandidateCache
    from wesam.automatic.generate import automatic_prompts
    from wesam.evaluation.previews import pick_samples, write_label_pictures
    from wesam.labels.unlabelled import load_unlabelled
    from wesam.updates.load import load_segmenter

    shared = overlap_of(tile, overlap)
    if out.exists() and not overwrite:
        raise WesamError(f"{out}: already exists and may hold corrections; --overwrite replaces it")
    settings = _settings(
        grid={"points_per_side": points_per_side},
        iou_quantile=iou_quantile,
        stability_quantile=stability_quantile,
        iou_threshold=iou_threshold,
        stability_threshold=stability_threshold,
    )
    samples, problems = load_unlabelled(images, reading_of(page, bands))
    for problem in problems:
        say(f"{'skipped' if problem.severity == 'skip' else problem.severity}: {problem}")
    segmenter = load_segmenter(model, adapter, device, precision)
    kept = CandidateCache(cache or out.with_suffix(".cache"), segmenter, settings.grid, tile, shared)
    with image_progress(len(samples)) as advance:
        found = automatic_prompts(segmenter, samples, kept, settings, on_image=advance)
    found.write(out)
    say(f"{found}; written to {out}")
    if previews:
        folder = out.with_name(f"{out.stem}-previews")
        write_label_pictures(pick_samples(found.samples, previews), folder, title="prompts")
        say(f"pictures: {folder}")
    say(f"kept for another choice of thresholds, and can be deleted: {kept.folder}")
    return Outcome(
        {
            "written": out,
            "images": len(found.samples),
            "prompts": len(found.scores),
            "masks": found.candidates,
            "thresholds": asdict(found.thresholds),
            "cache": kept.folder,
        }
    )


def _settings(grid: dict[str, Any], **options: Any) -> AutomaticSettings:
    """Settings from options of which those that are None were not given."""
    from pydantic import ValidationError

    from wesam.automatic.settings import AutomaticSettings
    from wesam.findings import describe

    given = {name: value for name, value in options.items() if value is not None}
    given["grid"] = {name: value for name, value in grid.items() if value is not None}
    try:
        return AutomaticSettings.model_validate(given)
    except ValidationError as error:
        raise WesamError(describe(error)) from error
