"""The methods by name. A method registers itself in its own file; nothing else names one."""

from __future__ import annotations

from typing import Any

from wesam.methods.base import Method, MethodSettings
from wesam.models.segmenter import Segmenter

_METHODS: dict[str, tuple[type[MethodSettings], type[Method]]] = {}


def register(settings: type[MethodSettings], method: type[Method]) -> None:
    """Makes a method known under the name that is its settings' default.

    Raises:
        ValueError: if the name is taken by another one.
    """
    name = settings.model_fields["name"].default
    if not isinstance(name, str):
        raise ValueError(f"expected settings whose name has a default, got {settings.__name__}")
    if name in _METHODS and _METHODS[name][0] is not settings:
        raise ValueError(f"expected a name that is free, got {name!r}")
    _METHODS[name] = (settings, method)


def method_names() -> list[str]:
    """Those of all registered methods."""
    return sorted(_METHODS)


def settings_type(name: str) -> type[MethodSettings]:
    """The settings of a method.

    Raises:
        KeyError: if there is no such method.
    """
    return _METHODS[name][0]


def method_type(settings: MethodSettings) -> type[Method]:
    """The method that settings belong to, for what it declares."""
    return _METHODS[settings.name][1]


def parse_settings(value: Any) -> MethodSettings:
    """Settings from a name, or from a mapping with one; settings stay as they are.

    Raises:
        ValueError: if no method has the name.
        pydantic.ValidationError: if a setting is unknown or wrong.
    """
    if isinstance(value, MethodSettings):
        return value
    given = {"name": value} if isinstance(value, str) else value
    if not isinstance(given, dict) or not isinstance(given.get("name"), str):
        raise ValueError(f"expected the name of a method ({', '.join(method_names())})")
    if given["name"] not in _METHODS:
        raise ValueError(f"expected a method of {', '.join(method_names())}, got {given['name']!r}")
    return settings_type(given["name"]).model_validate(given)


def build_method(settings: MethodSettings, segmenter: Segmenter) -> Method:
    """The method that the settings are of.

    Args:
        settings: of one method.
        segmenter: the network, with its adapter in place.
    """
    return method_type(settings)(segmenter, settings)
