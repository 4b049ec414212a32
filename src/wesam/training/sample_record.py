"""Which images and labels a run began with: it goes on as if never stopped only with the same ones."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from wesam.atomic import replaced_file
from wesam.errors import WesamError
from wesam.types import Sample


def keep_same_samples(path: Path, samples: Sequence[Sample]) -> None:
    """Notes the samples of a new run in `path`, or checks those of a resumed one against it.

    Raises:
        WesamError: naming what is missing, new or different.
    """
    now = {sample.id: _digest(sample) for sample in samples}
    if not path.exists():
        with replaced_file(path) as partial:
            partial.write_text(json.dumps(now, indent=0) + "\n", encoding="utf-8")
        return
    try:
        before: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise WesamError(f"{path}: expected the record of a run's images, got: {error}") from error
    changes = {
        "missing or unreadable": before.keys() - now.keys(),
        "new": now.keys() - before.keys(),
        "of another size or labelled otherwise": {
            name for name in before.keys() & now.keys() if before[name] != now[name]
        },
    }
    told = [
        f"{min(names)} {what}" + (f" ({len(names)} so)" if len(names) > 1 else "")
        for what, names in changes.items()
        if names
    ]
    if told:
        raise WesamError(
            f"{path}: expected the images and labels that this run began with, got {'; '.join(told)}. "
            f"Bring them back, or begin a new run"
        )


def _digest(sample: Sample) -> str:
    return hashlib.sha256(repr((sample.width, sample.height, sample.instances)).encode()).hexdigest()[:16]
