"""How much of what was labelled is used: a run that goes on with one box of twenty must not look like any other."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tally:
    """Objects of a label set.

    Attributes:
        used: how many can be used.
        left_out: how many cannot, or have no image that can; those that a format marks as no objects do not count.
    """

    used: int
    left_out: int

    @property
    def mostly_left_out(self) -> bool:
        """Whether more objects are left out than used: a command then ends with exit code 1."""
        return self.left_out > self.used

    def __str__(self) -> str:
        """In words, such as "used 1 of 20 objects"; "" where all are used."""
        if not self.left_out:
            return ""
        grave = "; most are left out, so find out why before you trust a result" if self.mostly_left_out else ""
        return f"used {self.used} of {self.used + self.left_out} objects{grave}"
