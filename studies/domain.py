"""Images to adapt to, as experiments over several of them name them on the command line."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from studies.pack import Pack
from wesam.errors import WesamError

_FORM = '"name: folder [tile=N] [corruption=NAME] [severity=N]"'
DOMAIN_HELP = f"{_FORM}; repeatable."


@dataclass(frozen=True)
class Domain:
    """Images to adapt to.

    Attributes:
        name: as the tables call it.
        pack: folder of a pack (`studies.pack`).
        corruption, severity: of all its images; None leaves them as they are.
        tile: side of tiles in adaptation and scoring; None for none.
    """

    name: str
    pack: Path
    corruption: str | None = None
    severity: int = 5
    tile: int | None = None

    @staticmethod
    def parse(text: str) -> Domain:
        """From "name: folder" or "name: folder tile=176 corruption=fog severity=5".

        Raises:
            WesamError: if it is of another form.
        """
        name, _, rest = text.partition(":")
        words = shlex.shlex(rest, posix=True)
        words.whitespace_split, words.escape, words.commenters = True, "", ""  # a backslash parts folders on Windows
        try:
            folder, *settings = list(words) or [""]
        except ValueError as error:
            raise WesamError(f"--domain: expected {_FORM}, got {text!r}: {error}") from error
        given = dict(setting.partition("=")[::2] for setting in settings)
        unknown = given.keys() - {"tile", "corruption", "severity"}
        if not name.strip() or not folder or unknown:
            raise WesamError(f"--domain: expected {_FORM}, got {text!r}")
        try:
            return Domain(
                name.strip(),
                Path(folder),
                given.get("corruption"),
                int(given.get("severity", 5)),
                int(given["tile"]) if "tile" in given else None,
            )
        except ValueError as error:
            raise WesamError(f"--domain {name.strip()}: expected whole numbers, got: {error}") from error

    def images_and_labels(self, out: Path) -> Pack:
        """The pack; corrupted copies of its images are made once, below `out`.

        Raises:
            WesamError: if a part of the pack is missing.
        """
        pack = Pack.at(self.pack)
        return pack if self.corruption is None else pack.corrupted(out, self.corruption, self.severity, seed=0)
