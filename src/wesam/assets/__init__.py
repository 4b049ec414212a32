"""Models that travel inside the package, so that everything can be tried without a network."""

from __future__ import annotations

from pathlib import Path

from wesam.errors import WesamError

_FOLDER = Path(__file__).parent


def bundled_models() -> list[str]:
    """Names of the models that are there, sorted."""
    return sorted(config.parent.name for config in _FOLDER.glob("*/config.json"))


def bundled_model_path(name: str) -> Path:
    """Folder of a bundled model, in transformers' format; its README is the card.

    Raises:
        WesamError: if there is no such model; the message lists those there are.
    """
    if name not in bundled_models():
        raise WesamError(f"bundled model: expected one of {', '.join(bundled_models()) or '(none)'}, got {name!r}")
    return _FOLDER / name
