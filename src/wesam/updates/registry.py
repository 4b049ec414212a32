"""The kinds of update by name. A new one is a file with its settings, and a line below."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, SerializeAsAny, TypeAdapter, ValidationError

from wesam.errors import WesamError
from wesam.untrusted import read_json
from wesam.updates.lora import LoraSettings
from wesam.updates.settings import UpdateSettings

DEFAULT_KIND = "lora"
_KINDS: dict[str, type[UpdateSettings]] = {}


def register(settings: type[UpdateSettings]) -> None:
    """Makes a kind of update known by its settings' `kind`; an older one of that name gives way."""
    _KINDS[settings.model_fields["kind"].default] = settings


def kinds() -> list[type[UpdateSettings]]:
    """The settings of all kinds that are known."""
    return list(_KINDS.values())


def _of_kind(value: Any) -> Any:
    """The settings of the kind that a mapping names."""
    if not isinstance(value, dict):
        return value
    kind = value.get("kind", DEFAULT_KIND)
    if kind not in _KINDS:
        raise ValueError(f"kind: expected one of {', '.join(sorted(_KINDS))}, got {kind!r}")
    return _KINDS[kind].model_validate(value)


# A field that holds the settings of any kind that is known.
AnyUpdateSettings = Annotated[SerializeAsAny[UpdateSettings], BeforeValidator(_of_kind)]
_ANY: TypeAdapter[UpdateSettings] = TypeAdapter(AnyUpdateSettings)


def read_settings(file: Path) -> UpdateSettings:
    """The settings that lie in an adapter's folder.

    Raises:
        WesamError: if they are not settings of a known kind.
    """
    content = read_json(file, "JSON")
    if isinstance(content, dict) and "kind" not in content:
        content.pop("ranks", None)  # of the first version; its peft configuration says the same by layer
    try:
        return _ANY.validate_python(content)
    except ValidationError as error:
        raise WesamError(f"{file}: expected settings of an adapter, got: {error}") from error


for _settings in (LoraSettings,):
    register(_settings)
