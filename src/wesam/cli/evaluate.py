"""`wesam evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
from wesam.cli.tables import print_scores

if TYPE_CHECKING:
    from wesam.evaluation.ground_truth import ScoredPrompt

_FILES = ("evaluation.json", "images.csv", "report.html")


def evaluate(
    model: ModelOption,
    images: ImagesOption,
    labels: Annotated[Path, typer.Option("--labels", help="File or folder of ground-truth masks.", metavar="PATH")],
    adapter: AdapterOption = None,
    prompt: Annotated[
        str,
        typer.Option(
            "--prompt",
            help="Prompts to simulate from the masks, all in one run: box, point (5 + 5), click (one, positive), mask.",
        ),
    ] = "box,point,click",
    out: Annotated[
        Path | None,
        typer.Option("--out", help=f"Folder for {', '.join(_FILES)}.", metavar="DIR"),
    ] = None,
    tile: TileOption = None,
    overlap: OverlapOption = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of simulated points.")] = 0,
    swap: Annotated[
        bool, typer.Option("--swap", help="Also decode with another image's features: does the model use the image?")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace those files in --out.")] = False,
    boundary: Annotated[bool, typer.Option("--boundary", help="Also measure boundary IoU.")] = False,
    automatic: Annotated[
        bool, typer.Option("--automatic", help="Also score what the models find without prompts.")
    ] = False,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "fp32",
    format: FormatOption = None,
    instances: InstancesOption = None,
    page: PageOption = None,
    bands: BandsOption = None,
) -> Outcome:
    """Score a model, with its adapter and without, beside masks that need no network."""
    from wesam.automatic.settings import AutomaticSettings
    from wesam.errors import WesamError
    from wesam.evaluation.embedding_swap import embedding_swap
    from wesam.evaluation.evaluate import evaluate as run_evaluation
    from wesam.evaluation.report import write_report
    from wesam.labels.check import load_samples
    from wesam.updates.load import load_segmenter

    if swap and tile is not None:
        raise WesamError("--swap: give no --tile beside it, as it works on whole images")
    shared = overlap_of(tile, overlap)
    prompts = _prompts(prompt)
    there = [out / name for name in _FILES if out is not None and (out / name).exists()]
    if there and not overwrite:
        raise WesamError(f"{there[0]}: already exists; --overwrite replaces it")
    samples, report = load_samples(
        images, labels, format=format_with(format, instances), reading=reading_of(page, bands)
    )
    if swap and len(samples) < 2:
        raise WesamError(f"--swap: expected at least 2 images with objects, got {len(samples)}")
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    for line in report.lines():
        say(line)
    segmenter = load_segmenter(model, adapter, device, precision)
    with image_progress(len(samples)) as advance:
        evaluation = run_evaluation(
            segmenter,
            samples,
            prompts=prompts,
            seed=seed,
            tile=tile,
            overlap=shared,
            boundary=boundary,
            automatic=AutomaticSettings() if automatic else None,
            on_image=advance,
        )
    print_scores(evaluation)
    if out is not None:
        evaluation.write(out)
    swapped = embedding_swap(segmenter, samples, prompts[0], seed) if swap else None
    if swapped is not None:
        say(
            f"embedding swap: own features {100 * swapped.own:.1f}, another image's {100 * swapped.other:.1f}, "
            f"zeros {100 * swapped.zeros:.1f} mIoU"
        )
    if out is not None:
        write_report(
            out / "report.html",
            evaluation,
            selection="None: the adapter was scored as it was given.",
            settings={"model": model, "adapter": adapter, "images": images, "labels": labels},
            swap=swapped,
        )
        say(f"written to {out}")
    document = {**evaluation.model_dump(mode="json"), "embedding_swap": swapped and swapped.model_dump()}
    return Outcome(document)


def _prompts(text: str) -> list[ScoredPrompt]:
    """The kinds of prompts in "box,click"."""
    from wesam.evaluation.ground_truth import SCORED_PROMPTS

    names = [name.strip() for name in text.split(",")]
    found = [prompt for name in names for prompt in SCORED_PROMPTS if prompt == name]
    if len(found) < len(names):
        allowed = ", ".join(SCORED_PROMPTS)
        raise typer.BadParameter(f"expected one or more of {allowed}, with commas between, got {text}")
    return found
