"""Which formats a model of a family can be written in. A new one is a file here, and a `register`."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from wesam.errors import WesamError
from wesam.export.official import export_official
from wesam.export.transformers import export_transformers
from wesam.models.official import official_families
from wesam.models.segmenter import Segmenter

#: In place of a family: an exporter that writes all of them.
EVERY = "*"


class Exporter(Protocol):
    def __call__(self, segmenter: Segmenter, out: str | Path, overwrite: bool = False) -> None:
        """Writes the model with its update merged; the segmenter stays as it is.

        Raises:
            WesamError: if `out` exists and `overwrite` is not set, or cannot be written, or the format cannot hold the
                model.
        """


_EXPORTERS: dict[tuple[str, str], Exporter] = {}


def register(family: str, name: str, exporter: Exporter) -> None:
    """Makes an exporter known as `name` for a family's model type, or for `EVERY`; an older one gives way."""
    _EXPORTERS[family, name] = exporter


def formats(family: str) -> list[str]:
    """The names of the formats that a family can be written in."""
    return sorted({name for owner, name in _EXPORTERS if owner in (family, EVERY)})


def export_model(segmenter: Segmenter, to: str, out: str | Path, overwrite: bool = False) -> None:
    """Writes a model, with its update merged where there is one, in a format of its family.

    Args:
        segmenter: with an update or without one: then this is a conversion.
        to: one of `formats`.
        out: folder or file, by the format.
        overwrite: whether an older export of the same format gives way.

    Raises:
        WesamError: if the family cannot be written in this format, and as `Exporter`.
    """
    family = segmenter.family.model_type
    exporter = _EXPORTERS.get((family, to)) or _EXPORTERS.get((EVERY, to))
    if exporter is None:
        raise WesamError(f"to: a model of type {family} can be exported to {', '.join(formats(family))}; got {to}")
    exporter(segmenter, out, overwrite)


register(EVERY, "transformers", export_transformers)
for _family in official_families():
    register(_family, "official", export_official)
