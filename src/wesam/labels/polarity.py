"""Which points say "not this": labelling tools have no field for it, so the name of the label decides."""

from __future__ import annotations

import re

from wesam.types import BACKGROUND, FOREGROUND

# The whole name, perhaps numbered, or a sign after the name of a class. "HER2-" and "Ki67 negative" are classes.
_POSITIVE = re.compile(r"(?:(?P<name>.+\S)\s+)?\+|(?:\+|pos|positive|fg|foreground)\s*\d*", re.IGNORECASE)
_NEGATIVE = re.compile(r"(?:(?P<name>.+\S)\s+)?[-−]|(?:[-−]|neg|negative|bg|background)\s*\d*", re.IGNORECASE)


def read_polarity(name: str) -> tuple[str, int]:
    """The class that the label of a point names, "" if none, and whether the point is on the object (1) or off it (0).

    "-", "neg", "negative", "bg", "background" (also "negative 2") and "cell -" are off it; all others, of which "+",
    "pos", "positive", "fg", "foreground" and "cell +" name no class or only "cell", are on it.
    """
    name = name.strip()
    for pattern, label in ((_NEGATIVE, BACKGROUND), (_POSITIVE, FOREGROUND)):
        if found := pattern.fullmatch(name):
            return found["name"] or "", label
    return name, FOREGROUND
