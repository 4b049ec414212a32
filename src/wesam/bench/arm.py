"""One row of a table: a way to adapt, as what it changes of what all rows share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from wesam.training.config import PRESETS


@dataclass(frozen=True)
class Arm:
    """A method, or a variant of one.

    Attributes:
        name: as the tables call it.
        preset: of `training.config`, which the settings go over.
        settings: fields of `RunConfig`, nested.
        rate: learning rate; None for the one chosen for `base` (`rates`), or else that of the model's family.
        base: the row whose learning rate it shares; "" for its own name.
        labels: what the weak labels are like, fields of `SimulationSettings` beside the prompt's kind.
        train_images: how many images are labelled; None for all.
        length: steps, in units of the table's.
        masks: whether it learns from the true masks.
        learns: whether it learns at all.
        labelled: whether it has labels; without, the source model finds prompts on the training images.
        prompts: kinds of prompts that it is made for; () for all.
        pictured: whether its masks on a test image are drawn.
    """

    name: str
    preset: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    rate: float | None = None
    base: str = ""
    labels: Mapping[str, Any] = field(default_factory=dict)
    train_images: int | None = None
    length: float = 1.0
    masks: bool = False
    learns: bool = True
    labelled: bool = True
    prompts: tuple[str, ...] = ()
    pictured: bool = False

    def variant(self, name: str, settings: Mapping[str, Any] | None = None, **changes: Any) -> Arm:
        """This row with further settings, under another name and with this one's learning rate."""
        merged = merge(self.settings, settings or {})
        own = {"pictured": False, **changes}
        return replace(self, name=name, base=self.base or self.name, settings=merged, **own)

    def without_attention(self) -> Arm:
        """The row for a model that has no queries and values: LoRA on all its layers in their place."""
        own = self.settings.get("update", PRESETS[self.preset].get("update") if self.preset else None)
        if own is None:
            return self
        return replace(self, settings={**self.settings, "update": _on_all_layers(own)})

    def overrides(self) -> list[str]:
        """The settings as `--set` takes them."""
        return [f"{key}={json.dumps(value)}" for key, value in _flat(self.settings)]


def merge(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    """Nested mappings; the upper one wins."""
    merged = dict(lower)
    for key, value in upper.items():
        below = merged.get(key)
        nested = isinstance(below, Mapping) and isinstance(value, Mapping)
        merged[key] = merge(below, value) if nested else value  # type: ignore[arg-type]
    return merged


def _on_all_layers(update: Any) -> Any:
    if isinstance(update, Mapping):
        changed = {key: _on_all_layers(value) for key, value in update.items()}
        return {**changed, "target": None} if update.get("target") == "qv" else changed
    return [_on_all_layers(part) for part in update] if isinstance(update, list) else update


def _flat(settings: Mapping[str, Any], above: str = "") -> list[tuple[str, Any]]:
    """Dotted keys, a method's or an update's name before what belongs to it."""
    found: list[tuple[str, Any]] = []
    for key, value in settings.items():
        found += _flat(value, f"{above}{key}.") if isinstance(value, Mapping) else [(f"{above}{key}", value)]
    return found
