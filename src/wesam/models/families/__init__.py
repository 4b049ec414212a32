"""The model families by model type. A new one is a file here, and a line below."""

from __future__ import annotations

from wesam.models.families.edgetam import EdgeTam
from wesam.models.families.sam import Sam
from wesam.models.families.sam2 import Sam2
from wesam.models.families.sam3_tracker import Sam3Tracker
from wesam.models.families.sam_hq import SamHq
from wesam.models.family import Family

_FAMILIES: dict[str, Family] = {}


def register(family: Family) -> None:
    """Makes a family known, by its own model type and those that it reads too; an older one gives way."""
    for model_type in (family.model_type, *family.also):
        _FAMILIES[model_type] = family


def find_family(model_type: str | None) -> Family | None:
    """The family that reads models of a type; None where there is none."""
    return _FAMILIES.get(model_type or "")


def family_names() -> list[str]:
    """The families' own model types."""
    return sorted({family.model_type for family in _FAMILIES.values()})


for _family in (Sam(), SamHq(), Sam2(), EdgeTam(), Sam3Tracker()):
    register(_family)
