"""What all commands have in common: mistakes as one message, `--json`, the exit code."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Annotated, Any

import typer

from wesam.cli.console import messages_apart, reported
from wesam.strict_json import dumps

JsonOption = Annotated[
    bool, typer.Option("--json", help="Print the results as one JSON document; messages go to the error stream.")
]
_AS_JSON = "as_json"


@dataclass(frozen=True)
class Outcome:
    """What a command did.

    Attributes:
        document: the results, for machines. Keys stay what they are from release to release.
        failed: whether the exit code is 1, though the command came to its end.
    """

    document: Mapping[str, Any] = field(default_factory=dict)
    failed: bool = False


def as_command(run: Callable[..., Outcome | None]) -> Callable[..., None]:
    """A function that `typer` can take as a command: with the options of `run`, and `--json`.

    Args:
        run: does the work. None from it means that another command, or another process, says what came of it.
    """

    @wraps(run)
    def command(**options: Any) -> None:
        as_json = options.pop(_AS_JSON)
        with messages_apart(as_json), reported():
            outcome = run(**options)
        if outcome is None:
            return
        if as_json:
            sys.stdout.write(dumps(outcome.document) + "\n")
        if outcome.failed:
            raise typer.Exit(1)

    signature = inspect.signature(run, eval_str=True)
    option = inspect.Parameter(_AS_JSON, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=JsonOption)
    parameters = [*signature.parameters.values(), option]
    # Where typer looks for options.
    command.__signature__ = signature.replace(parameters=parameters, return_annotation=None)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command
