"""The command line: one file a command, each a thin function."""

from __future__ import annotations

from importlib import metadata
from typing import Annotated

import typer

from wesam.cli.adapt import adapt
from wesam.cli.bench import bench
from wesam.cli.check import check
from wesam.cli.command import as_command
from wesam.cli.convert import convert
from wesam.cli.corrupt import corrupt
from wesam.cli.datasets import datasets
from wesam.cli.demo import demo
from wesam.cli.evaluate import evaluate
from wesam.cli.export import export
from wesam.cli.generate import generate
from wesam.cli.predict import predict
from wesam.cli.prompts import prompts
from wesam.cli.threads import limit_threads

# Heavy imports (torch, transformers) wait inside the commands until one is called: `wesam --help` answers at once.

_HELP = "Adapt Segment Anything to your own images from labels that cost almost nothing."

app = typer.Typer(
    name="wesam",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"wesam {metadata.version('wesam')}")
        raise typer.Exit()


def main() -> None:
    """The program `wesam`."""
    limit_threads()
    app()


@app.callback(help=_HELP)
def _program(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """What comes before the command."""


# In the order in which --help lists them.
for command in (demo, check, convert, prompts, adapt, evaluate, predict, export, corrupt, generate, bench):
    app.command()(as_command(command))
app.add_typer(datasets, name="datasets")
