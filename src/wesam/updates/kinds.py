"""Kinds of update by name, and the settings of any of them as one type."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, SerializeAsAny

from wesam.updates.settings import UpdateSettings

DEFAULT_KIND = "lora"
_KINDS: dict[str, type[UpdateSettings]] = {}


def register(settings: type[UpdateSettings]) -> None:
    """Makes a kind of update known by its settings' `kind`; an older one of that name gives way."""
    _KINDS[settings.model_fields["kind"].default] = settings


def known_kinds() -> list[type[UpdateSettings]]:
    """The settings of all kinds that are known."""
    return list(_KINDS.values())


def _of_kind(value: Any) -> Any:
    """The settings of the kind that a mapping names; a list of them is a mix."""
    if isinstance(value, list | tuple):
        value = {"kind": "mix", "of": value}
    if isinstance(value, str):
        value = {"kind": value}
    if not isinstance(value, dict):
        return value
    kind = value.get("kind", DEFAULT_KIND)
    if kind not in _KINDS:
        raise ValueError(f"expected a kind of update among {', '.join(sorted(_KINDS))}, got {kind!r}")
    return _KINDS[kind].model_validate(value)


# A field that holds the settings of any kind that is known.
AnyUpdateSettings = Annotated[SerializeAsAny[UpdateSettings], BeforeValidator(_of_kind)]
