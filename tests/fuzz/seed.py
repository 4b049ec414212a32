"""A whole file, from which the fuzzer makes broken and hostile ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from wesam.types import AS_TAGGED, ImageReading

Kind = Literal["json", "xml", "text", "bytes", "png", "tiff"]


@dataclass(frozen=True)
class Seed:
    """A file that is mutated, and what lies beside it.

    Attributes:
        target: what reads it: a label format, "image" or "config".
        name: of the file, relative to the work folder; what is read is its first part.
        kind: how it is taken apart.
        content: the whole file.
        beside: other files, as they are.
        reading: of an image, which page and bands are looked at.
        whole: what becomes of it as it is.
    """

    target: str
    name: str
    kind: Kind
    content: bytes
    beside: dict[str, str] = field(default_factory=dict)
    reading: ImageReading = AS_TAGGED
    whole: Literal["read", "refused"] = "read"
