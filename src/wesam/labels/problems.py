"""What is wrong with a set of labels, said so that its owner can find and mend it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["fatal", "skip", "note"]


@dataclass(frozen=True)
class Problem:
    """One mistake or oddity in the files a user gave.

    Attributes:
        severity: "fatal": nothing can be done with the set; "skip": the image or instance is left out;
            "note": told, and nothing is left out because of it.
        file: the file it was found in.
        field: the place in that file, such as "annotations[12].bbox"; "" where it is the file as a whole.
        message: what was expected and what was found.
    """

    severity: Severity
    file: str
    field: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}: {self.field}" if self.field else self.file
        # Messages about a file as a whole often begin with its path already.
        return self.message if self.message.startswith(f"{place}:") else f"{place}: {self.message}"
