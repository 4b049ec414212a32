"""`wesam datasets`, `wesam datasets show`, `wesam datasets check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wesam.cli.command import Outcome, as_command
from wesam.cli.console import console, say

if TYPE_CHECKING:
    from wesam.bench.datasets.entry import Dataset

datasets = typer.Typer(help="The paper's data sets: where to get them, how they lie on disk, what is wrong with yours.")

NameArgument = Annotated[str, typer.Argument(help="As `wesam datasets` lists it, e.g. kvasir or coco-c/fog.")]


@datasets.callback(invoke_without_command=True)
@as_command
def list_all(context: typer.Context) -> Outcome | None:
    """List the paper's data sets."""
    if context.invoked_subcommand is not None:
        return None
    from rich.table import Table

    from wesam.bench.datasets.registry import DATASETS

    table = Table("name", "title", "shift", "images", "split")
    for dataset in DATASETS.values():
        table.add_row(dataset.name, dataset.title, dataset.shift, str(dataset.images or ""), str(dataset.split))
    console.print(table)
    say("wesam datasets show NAME says where to get one; wesam datasets check NAME DIR checks it")
    return Outcome({"datasets": [_record(dataset) for dataset in DATASETS.values()]})


@datasets.command()
@as_command
def show(name: NameArgument) -> Outcome:
    """Say where to get a data set, its terms, its layout, its split and the paper's run on it."""
    from wesam.bench.datasets.registry import DATASETS, find_dataset

    dataset = DATASETS[name] if name in DATASETS else find_dataset(name)[0]
    recipe = dataset.recipe
    lines = {
        "title": dataset.title,
        "get it": dataset.source,
        "terms": dataset.terms,
        "layout": ", ".join(dataset.layout),
        "variants": ", ".join(dataset.variants),
        "objects": dataset.objects,
        "split": f"{dataset.split} (train : test)" if ":" in str(dataset.split) else str(dataset.split),
        "paper": f"{', '.join(recipe.prompts)} prompts; {recipe.steps} steps of {recipe.images} images at "
        f"{recipe.learning_rate:g}; at most {recipe.most_objects} objects an image",
    }
    for key, text in lines.items():
        if text:
            say(f"{key + ':':<10}{text}")
    return Outcome(_record(dataset))


@datasets.command()
@as_command
def check(
    name: NameArgument,
    folder: Annotated[Path, typer.Argument(help="Where it lies.", metavar="DIR")],
) -> Outcome:
    """Check a data set and list all problems at once; no image may be in train and test."""
    from wesam.bench.datasets.read import read_dataset
    from wesam.bench.datasets.registry import DATASETS, find_dataset

    if name in DATASETS and DATASETS[name].variants:
        dataset = DATASETS[name]
        there = [variant for variant in dataset.variants if (folder / _first(dataset.layout, variant)).exists()]
        for variant in dataset.variants:
            if variant not in there:
                say(f"note  {folder / _first(dataset.layout, variant)}: not there, so {name}/{variant} cannot be run")
        chosen = [(dataset, variant) for variant in there or dataset.variants[:1]]
    else:
        chosen = [find_dataset(name)]
    fatal = False
    parts: dict[str, list[str]] = {}
    for dataset, variant in chosen:
        found = read_dataset(dataset, folder, variant)
        say(f"{variant}:\n{found}" if variant else str(found))
        fatal |= bool(found.fatal)
        parts[variant or name] = str(found).splitlines()
    return Outcome({"usable": not fatal, "found": parts}, failed=fatal)


def _first(layout: tuple[str, ...], variant: str) -> str:
    return layout[0].format(variant=variant)


def _record(dataset: Dataset) -> dict[str, Any]:
    """For machines."""
    names = ("name", "title", "shift", "source", "terms", "layout", "variants", "objects", "images")
    return {**{name: getattr(dataset, name) for name in names}, "split": str(dataset.split)}
