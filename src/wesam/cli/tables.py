"""What commands found, as people read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from wesam.cli.console import console, say

if TYPE_CHECKING:
    from wesam.adaptation import AdaptResult
    from wesam.evaluation.scores import Evaluation


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
    for name, found in evaluation.automatic.items():
        precision = "none" if found.precision is None else f"{100 * found.precision:.1f}"
        say(
            f"without prompts, {METHOD_NAMES[name]}: recall {100 * found.recall:.1f}, precision {precision} "
            f"({found.masks} masks, {found.objects} objects, IoU 0.5)"
        )
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
