"""The command line: one thin function a command."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from wesam.errors import WesamError

# Heavy imports (torch, transformers) wait until a command needs them: `wesam --help` answers at once.

app = typer.Typer(
    name="wesam",
    help="Adapt Segment Anything to your own images from labels that cost almost nothing.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console()
errors = Console(stderr=True)


def say(text: str) -> None:
    """Prints a line as it is: brackets are not markup, and a long path stays in one piece."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


ModelOption = Annotated[
    str,
    typer.Option(
        "--model",
        help="Hub id, Transformers folder, original SAM .pth, or bundled name (wesam-tiny).",
        metavar="M",
    ),
]
AdapterOption = Annotated[Path | None, typer.Option("--adapter", help="Adapter folder of a run.", metavar="DIR")]
ImagesOption = Annotated[Path, typer.Option("--images", help="Folder of images.", metavar="DIR")]
FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="Of the labels: coco, yolo, voc, label-studio, cvat, labelme, masks, csv. Absent: by their content.",
    ),
]
DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:1, mps.")]
PrecisionOption = Annotated[Literal["auto", "fp32", "bf16", "fp16"], typer.Option("--precision")]
TileOption = Annotated[
    int | None,
    typer.Option("--tile", help="Side in pixels of overlapping tiles, for small objects in large images."),
]
OverlapOption = Annotated[int, typer.Option("--overlap", help="Pixels that neighbouring tiles share.")]
PromptOption = Annotated[
    Literal["auto", "box", "point", "mask"],
    typer.Option("--prompt", help="Which kind of label to prompt with."),
]


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder to write to.", metavar="DIR")] = Path("wesam-demo"),
    steps: Annotated[int, typer.Option("--steps", help="Adaptation steps.")] = 200,
    seed: Annotated[int, typer.Option("--seed")] = 0,
) -> None:
    """Offline: adapt the bundled model to generated images that have boxes only; before, after, report."""
    from wesam.demo import run_demo

    with _progress() as progress:
        result = _reported(lambda: run_demo(out, steps, seed, _loss_display(progress), say))
    _print_result(result)


@app.command()
def check(
    images: ImagesOption,
    labels: Annotated[Path, typer.Option("--labels", help="File or folder of labels.", metavar="PATH")],
    input_size: Annotated[int, typer.Option("--input-size", help="Side of the model's input, in pixels.")] = 1024,
    format: FormatOption = None,
) -> None:
    """Look through images and labels and list all problems at once."""
    from wesam.labels.check import check as run_check

    report = _reported(lambda: run_check(images, labels, input_size=input_size, format=format))
    say(str(report))
    raise typer.Exit(1 if report.fatal else 0)


@app.command()
def convert(
    images: ImagesOption,
    labels: Annotated[Path, typer.Option("--labels", help="File or folder of labels.", metavar="PATH")],
    out: Annotated[Path, typer.Option("--out", help="COCO JSON to write.", metavar="FILE")],
    format: FormatOption = None,
) -> None:
    """Write labels of any format as COCO JSON; what cannot be used is listed and left out."""
    from wesam.labels.check import load_samples
    from wesam.labels.write_coco import write_coco

    samples, report = _reported(lambda: load_samples(images, labels, decode=False, format=format))
    for problem in report.skipped:
        say(f"skipped: {problem}")
    _reported(lambda: write_coco(samples, out))
    say(f"{report.summary}; written to {out}")


@app.command()
def adapt(
    model: Annotated[str | None, typer.Option("--model", help="As for load: hub id, folder, .pth, name.")] = None,
    images: Annotated[Path | None, typer.Option("--images", help="Folder of images.", metavar="DIR")] = None,
    labels: Annotated[
        Path | None, typer.Option("--labels", help="File or folder of weak labels.", metavar="PATH")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Run folder, made here.", metavar="DIR")] = None,
    val_labels: Annotated[
        Path | None,
        typer.Option("--val-labels", help="Masks to report on at the end; nothing is chosen by them.", metavar="FILE"),
    ] = None,
    prompt: Annotated[Literal["auto", "box", "point", "mask"] | None, typer.Option("--prompt")] = None,
    tile: TileOption = None,
    preset: Annotated[str, typer.Option("--preset", help="default, or paper for the paper's settings.")] = "default",
    config: Annotated[Path | None, typer.Option("--config", help="YAML of settings.", metavar="FILE")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="key=value, e.g. steps=1000, objective.teacher=shared; repeatable."),
    ] = None,
    format: FormatOption = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
) -> None:
    """Adapt a model to your images from weak labels."""
    from wesam.adaptation import run
    from wesam.training.config import make_config

    values = {
        "model": model,
        "images": images,
        "labels": labels,
        "labels_format": format,
        "out": out,
        "val_labels": val_labels,
        "prompt": prompt,
        "views": None if tile is None else {"tile": tile},
    }
    if resume and config is None and out is not None and (out / "config.yaml").is_file():
        config = out / "config.yaml"  # `--resume --out DIR` alone goes on with what that run began with
    run_config = _reported(lambda: make_config(values, preset=preset, file=config, overrides=set_))
    with _progress() as progress:
        result = _reported(
            lambda: run(run_config, resume, _loss_display(progress), say),
            on_interrupt=f"stopped; go on with: wesam adapt --resume --out {run_config.out}",
        )
    if result.summary:
        _print_result(result)


@app.command()
def evaluate(
    model: ModelOption,
    images: ImagesOption,
    labels: Annotated[Path, typer.Option("--labels", help="File or folder of ground-truth masks.", metavar="PATH")],
    adapter: AdapterOption = None,
    prompt: Annotated[
        Literal["box", "point", "mask"], typer.Option("--prompt", help="Which prompts to simulate from the masks.")
    ] = "box",
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for evaluation.json, images.csv, report.html.", metavar="DIR"),
    ] = None,
    tile: TileOption = None,
    overlap: OverlapOption = 64,
    seed: Annotated[int, typer.Option("--seed", help="Of simulated points.")] = 0,
    swap: Annotated[
        bool, typer.Option("--swap", help="Also decode with another image's features: does the model look?")
    ] = False,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "fp32",
    format: FormatOption = None,
) -> None:
    """Score a model, with its adapter and without, and beside them answers that need no network."""
    from wesam.evaluation.embedding_swap import embedding_swap
    from wesam.evaluation.evaluate import evaluate as run_evaluation
    from wesam.evaluation.report import write_report
    from wesam.labels.check import load_samples
    from wesam.segmenters.load import load_segmenter

    samples, _ = _reported(lambda: load_samples(images, labels, format=format))
    segmenter = _reported(lambda: load_segmenter(model, adapter, device, precision))
    with _progress() as progress:
        task = progress.add_task("images", total=len(samples), detail="")
        evaluation = _reported(
            lambda: run_evaluation(
                segmenter,
                samples,
                prompt=prompt,
                seed=seed,
                tile=tile,
                overlap=overlap,
                on_image=lambda _: progress.advance(task),
            )
        )
    console.print(_score_table(evaluation))
    swapped = _reported(lambda: embedding_swap(segmenter, samples, prompt, seed)) if swap else None
    if swapped is not None:
        say(
            f"embedding swap: own features {100 * swapped.own:.1f}, another image's {100 * swapped.other:.1f}, "
            f"zeros {100 * swapped.zeros:.1f} mIoU"
        )
    if out is not None:
        settings = {"model": model, "adapter": adapter, "images": images, "labels": labels}
        _reported(lambda: evaluation.write(out))
        write_report(
            out / "report.html",
            evaluation,
            selection="None: the adapter was scored as it was given.",
            settings=settings,
            swap=swapped,
        )
        say(f"written to {out}")


@app.command()
def predict(
    model: ModelOption,
    images: ImagesOption,
    labels: Annotated[Path, typer.Option("--labels", help="What to segment: boxes, points.", metavar="PATH")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write masks to.", metavar="DIR")],
    adapter: AdapterOption = None,
    prompt: PromptOption = "auto",
    tile: TileOption = None,
    overlap: OverlapOption = 64,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "fp32",
    format: FormatOption = None,
) -> None:
    """Segment every labelled object: COCO masks, instance maps, pictures."""
    from wesam.evaluation.predict import predict as run_prediction
    from wesam.labels.check import load_samples
    from wesam.segmenters.load import load_segmenter

    samples, _ = _reported(lambda: load_samples(images, labels, format=format))
    segmenter = _reported(lambda: load_segmenter(model, adapter, device, precision))
    with _progress() as progress:
        task = progress.add_task("images", total=len(samples), detail="")
        results = _reported(
            lambda: run_prediction(
                segmenter,
                samples,
                out,
                prompt=prompt,
                tile=tile,
                overlap=overlap,
                on_image=lambda _: progress.advance(task),
            )
        )
    say(f"masks of {len(samples)} images: {results}")


@app.command()
def export(
    model: ModelOption,
    adapter: Annotated[Path, typer.Option("--adapter", help="Adapter folder of a run.", metavar="DIR")],
    to: Annotated[Literal["transformers", "official"], typer.Option("--to", help="Format.")],
    out: Annotated[Path, typer.Option("--out", help="Folder (transformers) or .pth file (official).", metavar="PATH")],
    overwrite: Annotated[bool, typer.Option("--overwrite")] = False,
) -> None:
    """Merge an adapter into its model and write one that other tools load as any SAM."""
    from wesam.export.official import export_official
    from wesam.export.transformers import export_transformers
    from wesam.segmenters.load import load_segmenter

    segmenter = _reported(lambda: load_segmenter(model, adapter, device="cpu"))
    writer = export_transformers if to == "transformers" else export_official
    _reported(lambda: writer(segmenter, out, overwrite=overwrite))
    say(f"written: {out}")


@app.command()
def corrupt(
    images: ImagesOption,
    out: Annotated[Path, typer.Option("--out", help="New folder for the corrupted copies.", metavar="DIR")],
    corruption: Annotated[str, typer.Option("--corruption", help="One of the 15 of ImageNet-C, e.g. fog.")],
    severity: Annotated[int, typer.Option("--severity", min=1, max=5)] = 5,
    seed: Annotated[int, typer.Option("--seed")] = 0,
) -> None:
    """Write a corrupted copy of an image folder (ImageNet-C); its labels fit the copy too."""
    from wesam.views.corruptions import corrupt_folder

    count = _reported(lambda: corrupt_folder(images, out, corruption, severity, seed))
    say(f"{count} images written to {out}")


T = TypeVar("T")


def _reported(work: Callable[[], T], on_interrupt: str = "stopped") -> T:
    """Runs `work`; a user's mistake ends the program with its message and no traceback."""
    from transformers.utils import logging

    logging.disable_progress_bar()  # bars for loading a few tensors would bury our own
    try:
        return work()
    except WesamError as error:
        errors.print(f"error: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
        sys.exit(1)
    except KeyboardInterrupt:
        errors.print(on_interrupt, markup=False, soft_wrap=True)
        sys.exit(130)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=16),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[detail]}"),
        console=errors,
    )


def _loss_display(progress: Progress) -> Callable[[Any], None]:
    """Shows step, losses, images/s and ETA of a run; the bar appears with the first numbers."""
    tasks: list[TaskID] = []

    def show(state: Any) -> None:
        if not tasks:
            tasks.append(progress.add_task("adapting", total=state.steps, detail=""))
        shown = ("total", "self_training", "anchor", "contrastive")
        losses = [f"{name} {state.metrics[name]:.2f}" for name in shown if name in state.metrics]
        detail = f"{state.images_per_second:.1f} images/s  {', '.join(losses)}"
        progress.update(tasks[0], completed=state.step, detail=detail)

    return show


def _score_table(evaluation: Any) -> Any:
    from rich.table import Table

    from wesam.evaluation.report import headline

    table = Table(title=f"{evaluation.prompt} prompts, {len(evaluation.images)} images, {evaluation.instances} objects")
    sizes = [s for s in ("small", "medium", "large") if any(s in m.by_size for m in evaluation.methods.values())]
    for column in ("", "mIoU", "Dice", *(f"{size} mIoU" for size in sizes)):
        table.add_column(column, justify="left" if not column else "right")
    for name, score in evaluation.methods.items():
        cells = [f"{100 * score.by_size[size].iou:.1f}" if size in score.by_size else "" for size in sizes]
        table.add_row(name, f"{100 * score.miou:.1f}", f"{100 * score.dice:.1f}", *cells)
    if evaluation.difference is not None:
        table.caption = headline(evaluation).detail
    return table


def _print_result(result: Any) -> None:
    say(f"adapter: {result.adapter} ({result.summary['adapter_bytes'] / 1e6:.1f} MB)")
    if result.evaluation is not None:
        console.print(_score_table(result.evaluation))
        say(f"report:  {result.folder / 'report.html'}")
