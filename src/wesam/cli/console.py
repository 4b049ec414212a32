"""What commands print: lines, and a user's mistakes as one message."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import Any

from rich.console import Console

from wesam.errors import WesamError, WesamWarning

console = Console()
errors = Console(stderr=True)


def say(text: str) -> None:
    """Prints a line as it is: brackets are not markup, and a long path stays in one piece."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def messages_apart(apart: bool) -> Iterator[None]:
    """Within it, where asked for, `console` prints to the error stream: the output is for machines."""
    before = console.stderr
    console.stderr = apart or before
    try:
        yield
    finally:
        console.stderr = before


@contextmanager
def reported(on_interrupt: Callable[[], str] = lambda: "stopped") -> Iterator[None]:
    """Within it a user's mistake ends the program with its message and no traceback; so does Ctrl-C."""
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
        place = "a file" if error.filename is None else str(error.filename)
        _complain(f"error: {place} cannot be used: {error.strerror}", "red")
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
