"""The publishers' own checkpoint formats, both ways, by family. A new one is a file here, and a line below."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from torch import Tensor, nn

from wesam.models.official.sam import from_official, to_official


class _Read(Protocol):
    def __call__(self, state: Mapping[str, Tensor]) -> nn.Module: ...


class _Write(Protocol):
    def __call__(self, model: Any) -> dict[str, Tensor]: ...


class OfficialFormat(NamedTuple):
    """How a family's publisher names its tensors.

    Attributes:
        sign: the name of a tensor that no other family's files hold.
        read: from tensors to the network; raises `WesamError` where they are no whole model.
        write: from the network to tensors; raises `WesamError` where the format cannot tell its reader what it needs.
    """

    sign: str
    read: _Read
    write: _Write


# The first whose sign is there reads a file; SAM's own sign is part of others, too, and comes last.
_FORMATS: dict[str, OfficialFormat] = {
    "sam": OfficialFormat("image_encoder.patch_embed.proj.weight", from_official, to_official),
}


def official_families() -> list[str]:
    """The model types of the families that have a format of their publisher's."""
    return list(_FORMATS)


def official_format(model_type: str) -> OfficialFormat:
    """The format of a family of `official_families`."""
    return _FORMATS[model_type]


def format_of(names: Mapping[str, object]) -> OfficialFormat | None:
    """The format that tensors of these names are in; None if it is none of ours."""
    return next((one for one in _FORMATS.values() if one.sign in names), None)
