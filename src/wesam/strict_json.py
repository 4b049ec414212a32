"""JSON that every reader takes: Python's own writes NaN, which is none."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def dumps(value: Any, indent: int | None = None) -> str:
    """A value as JSON text: numbers that are not finite become null, bytes of names that are no text become escapes.

    Args:
        value: mappings, lists, tuples, paths, text and numbers.
        indent: as for `json.dumps`.

    Raises:
        TypeError: if something else is in it.
    """
    return json.dumps(_plain(value), indent=indent, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str | Path):
        return str(value).encode(errors="backslashreplace").decode()
    if isinstance(value, Mapping):
        return {_plain(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value
