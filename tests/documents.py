"""What the documents say, in a form that tests can run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

_FENCE = re.compile(r"^[ ]*```(\w+)\n(.*?)^[ ]*```$", re.MULTILINE | re.DOTALL)


def blocks(document: Path, language: str) -> list[str]:
    """The fenced blocks of a language, in order."""
    return [text for name, text in _FENCE.findall(document.read_text(encoding="utf-8")) if name == language]


def wesam_commands(document: Path) -> list[list[str]]:
    """The arguments of each `wesam ...` in the document's shell blocks, also behind `accelerate launch -m`."""
    lines = [shlex.split(line, comments=True) for block in blocks(document, "sh") for line in block.splitlines()]
    return [line[line.index("wesam") + 1 :] for line in lines if line[:1] in (["wesam"], ["accelerate"])]
