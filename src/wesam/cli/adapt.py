"""`wesam adapt`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from wesam.cli.command import Outcome
from wesam.cli.console import reported, say
from wesam.cli.options import BandsOption, FormatOption, InstancesOption, PageOption, TileOption, bands_of, format_with
from wesam.cli.progress import loss_progress
from wesam.cli.tables import print_result


def adapt(
    model: Annotated[str | None, typer.Option("--model", help="As for load: hub id, folder, .pth, name.")] = None,
    images: Annotated[Path | None, typer.Option("--images", help="Folder of images.", metavar="DIR")] = None,
    labels: Annotated[
        Path | None,
        typer.Option("--labels", help="Weak labels; absent: the model finds prompts itself.", metavar="PATH"),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Run folder, made here.", metavar="DIR")] = None,
    start: Annotated[
        Path | None,
        typer.Option("--start", help="Adapter of an earlier run to go on from, with new labels.", metavar="DIR"),
    ] = None,
    val_labels: Annotated[
        Path | None,
        typer.Option("--val-labels", help="Masks to report on at the end; nothing is chosen by them.", metavar="PATH"),
    ] = None,
    prompt: Annotated[
        Literal["auto", "box", "point", "mask"] | None,
        typer.Option(
            "--prompt",
            help="Which labels prompt. auto: box and points, else the box of the mask, which teaches.",
        ),
    ] = None,
    tile: TileOption = None,
    method: Annotated[
        str | None,
        typer.Option("--method", help="wesam (default), supervised where labels are masks, or direct.", metavar="NAME"),
    ] = None,
    effort: Annotated[
        Literal["quick", "normal", "thorough"] | None,
        typer.Option("--effort", help="100, 300 or 1000 steps, and more to choose from."),
    ] = None,
    preset: Annotated[str | None, typer.Option("--preset", help="paper for the paper's settings, or default.")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="YAML of settings.", metavar="FILE")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="key=value, e.g. steps=1000, method.teacher=shared; repeatable."),
    ] = None,
    format: FormatOption = None,
    instances: InstancesOption = None,
    val_format: Annotated[
        str | None, typer.Option("--val-format", help="Of --val-labels, as --format is of --labels.")
    ] = None,
    page: PageOption = None,
    bands: BandsOption = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
) -> Outcome | None:
    """Adapt a model to your images from weak labels."""
    from wesam.adaptation import run
    from wesam.errors import WesamError
    from wesam.labels.tally import Tally
    from wesam.training.config import make_config

    values = {
        "model": model,
        "images": images,
        "labels": labels,
        "labels_format": format_with(format, instances),
        "out": out,
        "start": start,
        "val_labels": val_labels,
        "val_labels_format": val_format,
        "prompt": prompt,
        "page": page,
        "bands": bands_of(bands),
        "method": method,
        "effort": effort,
        "views": None if tile is None else {"tile": tile},
    }
    if resume and config is None and out is not None:
        begun = out / "config.yaml"  # `--resume --out DIR` alone goes on with what that run began with
        if begun.is_file():
            config = begun
        elif model is None:
            raise WesamError(f"--resume --out {out}: there is no run to go on with (no {begun.name} in it)")
    run_config = make_config(values, preset=preset, file=config, overrides=set_)
    for option, given, of, labelled in (
        ("--format", format, "--labels", run_config.labels),
        ("--instances", instances, "--labels", run_config.labels),
        ("--val-format", val_format, "--val-labels", run_config.val_labels),
    ):
        if given is not None and labelled is None:
            raise typer.BadParameter(f"needs {of}", param_hint=option)

    def how_to_go_on() -> str:
        begun = (run_config.out / "config.yaml").is_file()
        return f"stopped; go on with: wesam adapt --resume --out {run_config.out}" if begun else "stopped"

    with reported(how_to_go_on), loss_progress() as show:
        result = run(run_config, resume, show, say)
    if result.summary:
        print_result(result)
        tally = Tally(result.summary["instances"], result.summary["left_out"])
        if tally.left_out:
            say(str(tally))
        return Outcome(result.document(), failed=tally.mostly_left_out)
    return None  # of several processes, the first one says it
