"""What pydantic finds wrong with a file or with settings, in words: the name, what was expected, what came."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

# By the beginning of pydantic's names of errors; the longest one that fits counts.
_EXPECTED: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "bool": lambda context: "true or false",
    "dict": lambda context: "a block of settings",
    "finite_number": lambda context: "a finite number",
    "float": lambda context: "a number",
    "greater_than": lambda context: f"more than {context['gt']:g}",
    "greater_than_equal": lambda context: f"at least {context['ge']:g}",
    "int": lambda context: "a whole number",
    "less_than": lambda context: f"less than {context['lt']:g}",
    "less_than_equal": lambda context: f"at most {context['le']:g}",
    "list": lambda context: "a list",
    "literal_error": lambda context: str(context["expected"]),
    "model": lambda context: "a block of settings",
    "path": lambda context: "a path",
    "string": lambda context: "text",
    "too_long": lambda context: f"at most {context['max_length']} of them",
    "too_short": lambda context: f"at least {context['min_length']} of them",
    "tuple": lambda context: "a list",
}


def describe(error: ValidationError) -> str:
    """All findings in one line: "steps: expected a whole number, got 'many'; ..."."""
    return "; ".join(_described(finding) for finding in error.errors())


def _described(finding: Mapping[str, Any]) -> str:
    name, kind = ".".join(str(part) for part in finding["loc"]), finding["type"]
    where = f"{name}: " if name else ""
    if kind == "value_error":  # a validator of our own, whose message says all
        return f"{where}{finding['msg'].removeprefix('Value error, ')}"
    if kind == "missing":
        return f"{where}expected a value, got none"
    got = reprlib.repr(finding["input"])
    if kind == "extra_forbidden":
        return f"{where}unknown setting (got {got})"
    fitting = max((known for known in _EXPECTED if kind.startswith(known)), key=len, default=None)
    expected = finding["msg"] if fitting is None else _EXPECTED[fitting](finding.get("ctx", {}))
    return f"{where}expected {expected}, got {got}"
