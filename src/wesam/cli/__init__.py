"""The command line: one file a command, each a thin function."""

from __future__ import annotations

import typer

from wesam.cli.adapt import adapt
from wesam.cli.bench import bench
from wesam.cli.check import check
from wesam.cli.console import reported
from wesam.cli.convert import convert
from wesam.cli.corrupt import corrupt
from wesam.cli.datasets import datasets
from wesam.cli.demo import demo
from wesam.cli.evaluate import evaluate
from wesam.cli.export import export
from wesam.cli.generate import generate
from wesam.cli.predict import predict
from wesam.cli.prompts import prompts

# Heavy imports (torch, transformers) wait inside the commands until one is called: `wesam --help` answers at once.

app = typer.Typer(
    name="wesam",
    help="Adapt Segment Anything to your own images from labels that cost almost nothing.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
# In the order in which --help lists them.
for command in (demo, check, convert, prompts, adapt, evaluate, predict, export, corrupt, generate, bench):
    app.command()(reported()(command))
app.add_typer(datasets, name="datasets")
