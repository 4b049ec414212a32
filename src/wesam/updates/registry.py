"""The kinds of update that come with the package. A new one is a file with its settings, and a line here."""

from __future__ import annotations

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from wesam.errors import WesamError
from wesam.findings import describe
from wesam.untrusted import read_json
from wesam.updates.decoder import DecoderSettings
from wesam.updates.encoder import EncoderSettings
from wesam.updates.kinds import AnyUpdateSettings, known_kinds, register
from wesam.updates.lora import LoraSettings
from wesam.updates.mix import MixSettings
from wesam.updates.norms import NormsSettings
from wesam.updates.prompt_tokens import PromptTokensSettings
from wesam.updates.settings import UpdateSettings

__all__ = ["AnyUpdateSettings", "known_kinds", "read_settings", "register"]

register(LoraSettings)
register(NormsSettings)
register(DecoderSettings)
register(EncoderSettings)
register(PromptTokensSettings)
register(MixSettings)

# Settings of earlier versions; peft's configuration beside them says the same, by layer.
_IN_PEFT = ("ranks", "alpha", "dropout")

_ANY: TypeAdapter[UpdateSettings] = TypeAdapter(AnyUpdateSettings)


def read_settings(file: Path) -> UpdateSettings:
    """The settings that lie in an adapter's folder.

    Raises:
        WesamError: if they are not settings of a known kind.
    """
    content = read_json(file, "JSON")
    if isinstance(content, dict) and content.get("kind", "lora") == "lora":
        for name in _IN_PEFT:
            content.pop(name, None)
    try:
        return _ANY.validate_python(content)
    except ValidationError as error:
        raise WesamError(f"{file}: expected settings of an adapter: {describe(error)}") from error
