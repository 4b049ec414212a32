"""Lets one line of a docstring describe several arguments, which Google's style knows but its parser does not."""

from __future__ import annotations

import re
from typing import Any

import griffe

_SEVERAL = re.compile(r"^( +)(\w+(?:, \w+)+): (.*)$")


class SharedDescriptions(griffe.Extension):
    """Gives each of ``first, second: masks`` a description of its own before the docstring is parsed."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = split_shared(obj.docstring.value)


def split_shared(docstring: str) -> str:
    """Repeats each entry of several names, with the lines that go on with it, once a name."""
    lines = docstring.split("\n")
    written: list[str] = []
    while lines:
        line = lines.pop(0)
        entry = _SEVERAL.match(line)
        if entry is None:
            written.append(line)
            continue
        indent, names, text = entry.groups()
        more = []
        while lines and lines[0].startswith(indent + " "):
            more.append(lines.pop(0))
        for name in names.split(", "):
            written += [f"{indent}{name}: {text}", *more]
    return "\n".join(written)
