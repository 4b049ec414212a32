"""What a run began with: it goes on as if never stopped only with the same images, labels and source model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wesam.atomic import replaced_file
from wesam.errors import WesamError
from wesam.types import Sample


def keep_same_inputs(path: Path, model: bytes, samples: Sequence[Sample], parent: str | None = None) -> None:
    """Notes the inputs of a new run in `path`, or checks those of a resumed one against it.

    Args:
        path: of the record.
        model: the source model's `models.fingerprint`.
        samples: what is adapted to, wherever its files lie now.
        parent: SHA-256 of the adapter that the run starts from; None if from the source model.

    Raises:
        WesamError: naming what is missing, new or different.
    """
    images = {sample.id: _digest(sample) for sample in samples}
    now = {"model": model.hex(), "images": images, **({} if parent is None else {"start": parent})}
    if not path.exists():
        with replaced_file(path) as partial:
            partial.write_text(json.dumps(now, indent=0) + "\n", encoding="utf-8")
        return
    try:
        before: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        source, known = before["model"], before["images"]
    except (ValueError, KeyError, TypeError) as error:
        raise WesamError(f"{path}: expected the record of what a run began with, got: {error}") from error
    if source != now["model"]:
        raise WesamError(
            f"{path}: expected the source model that this run began with, got other weights by that name. "
            f"Bring it back, or begin a new run"
        )
    if before.get("start") != parent:
        raise WesamError(
            f"{path}: expected the adapter that this run started from, got other weights in its place. "
            f"Bring it back, or begin a new run"
        )
    told = _changes(known, images)
    if told:
        raise WesamError(
            f"{path}: expected the images and labels that this run began with, got {'; '.join(told)}. "
            f"Bring them back, or begin a new run"
        )


def _changes(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """In words."""
    changed = {
        "missing or unreadable": before.keys() - now.keys(),
        "new": now.keys() - before.keys(),
        "of another content or labelled otherwise": {
            name for name in before.keys() & now.keys() if before[name] != now[name]
        },
    }
    return [
        f"{min(names)} {what}" + (f" ({len(names)} so)" if len(names) > 1 else "")
        for what, names in changed.items()
        if names
    ]


def _digest(sample: Sample) -> str:
    try:
        digest = hashlib.sha256(sample.path.read_bytes())
    except OSError as error:
        raise WesamError(f"{sample.path}: expected an image that can be read, got: {error}") from error
    digest.update(repr((sample.width, sample.height, sample.instances)).encode())
    return digest.hexdigest()[:16]
