"""What commands print: lines, progress, tables, and a user's mistakes as one message."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

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
from rich.table import Table

from wesam.errors import WesamError, WesamWarning

if TYPE_CHECKING:
    from wesam.adaptation import AdaptResult
    from wesam.evaluation.scores import Evaluation
    from wesam.training.progress import Progress as TrainingProgress

console = Console()
errors = Console(stderr=True)


def say(text: str) -> None:
    """Prints a line as it is: brackets are not markup, and a long path stays in one piece."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def reported(on_interrupt: Callable[[], str] = lambda: "stopped") -> Iterator[None]:
    """Within it a user's mistake ends the program with its message and no traceback; so does Ctrl-C."""
    from transformers.utils import logging

    logging.disable_progress_bar()  # bars for loading a few tensors would bury our own
    if isinstance(sys.stdout, TextIOWrapper):  # as of the error stream: a name that it cannot show ends nothing
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with _own_warnings_as_lines():
            yield
    except WesamError as error:
        _complain(f"error: {error}", "red")
        sys.exit(1)
    except OSError as error:
        if error.errno is None:  # what a library, not the system, says: nothing that a user can mend
            raise
        place = "" if error.filename is None else f"{error.filename}: "
        _complain(f"error: {place}expected a file or folder that can be used, got: {error.strerror}", "red")
        sys.exit(1)
    except KeyboardInterrupt:
        errors.print(on_interrupt(), markup=False, soft_wrap=True)
        sys.exit(130)


def _complain(text: str, colour: str) -> None:
    """`say`, on the error stream."""
    errors.print(text, style=colour, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _own_warnings_as_lines() -> Iterator[None]:
    """Without the line of code that a warning comes from, which means nothing to a user."""
    with warnings.catch_warnings():
        show = warnings.showwarning

        def line(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
            if issubclass(category, WesamWarning):
                _complain(f"warning: {message}", "yellow")
            else:
                show(message, category, *where, **more)

        warnings.showwarning = line
        yield


@contextmanager
def image_progress(total: int) -> Iterator[Callable[[object], None]]:
    """A bar that counts images; what it gives is called once an image."""
    with _progress() as progress:
        task = progress.add_task("images", total=total, detail="")
        yield lambda _: progress.advance(task)


@contextmanager
def loss_progress() -> Iterator[Callable[[TrainingProgress], None]]:
    """Shows step, losses, images/s and ETA of a run; the bar appears with the first numbers."""
    tasks: list[TaskID] = []
    progress = _progress()
    with ExitStack() as shown:

        def show(state: TrainingProgress) -> None:
            if not tasks:
                shown.enter_context(progress)
                tasks.append(progress.add_task("adapting", total=state.steps, detail=""))
            losses = [f"{name} {state.metrics[name]:.2f}" for name in state.shown if name in state.metrics]
            detail = f"{state.images_per_second:.1f} images/s  {', '.join(losses)}"
            progress.update(tasks[0], completed=state.step, detail=detail)

        yield show


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


def print_scores(evaluation: Evaluation) -> None:
    """Prints one row of scores a prompt and model, then those that need no network."""
    from wesam.evaluation.ground_truth import PROMPT_NAMES
    from wesam.evaluation.metrics import SIZES
    from wesam.evaluation.report import METHOD_NAMES, headline
    from wesam.evaluation.scores import TRIVIAL_METHODS, MethodScore

    table = Table(title=f"{evaluation.images} images, {evaluation.instances} objects")
    some = evaluation.first.methods[evaluation.first.judged]
    sizes = [size for size in SIZES if size in some.by_size]
    boundary = ["boundary IoU"] if some.boundary_iou is not None else []
    for column in ("prompt", "method", "mIoU", "Dice", *boundary, *(f"{size} mIoU" for size in sizes)):
        table.add_column(column, justify="left" if column in ("prompt", "method") else "right")

    def add(prompt: str, name: str, score: MethodScore) -> None:
        values = [score.miou, score.dice, *([] if score.boundary_iou is None else [score.boundary_iou])]
        values += [score.by_size[size].iou for size in sizes]
        table.add_row(prompt, name, *(f"{100 * value:.1f}" for value in values))

    for prompt, scores in evaluation.prompts.items():
        for name, score in scores.methods.items():
            if name not in TRIVIAL_METHODS:
                add(PROMPT_NAMES[prompt], METHOD_NAMES[name], score)
        table.add_section()
    for name in TRIVIAL_METHODS:
        if name in evaluation.first.methods:
            add("no network", METHOD_NAMES[name], evaluation.first.methods[name])
    console.print(table)
    if evaluation.first.difference is not None:
        for line in headline(evaluation).details:
            say(line)


def print_result(result: AdaptResult) -> None:
    """Prints where a finished run's results are."""
    selection = result.summary["selection"]
    if not selection["adapted"]:
        console.print("The source model was kept.", style="bold yellow")
    say(selection["reason"])
    say(f"adapter: {result.adapter} ({result.summary['adapter_bytes'] / 1e6:.1f} MB)")
    if result.evaluation is not None:
        print_scores(result.evaluation)
        say(f"report:  {result.folder / 'report.html'}")
