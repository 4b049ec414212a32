"""The publishers' own checkpoint formats, both ways, by family. A new one is a file here, and a line below."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn

from wesam.models.official import edgetam, sam, sam2, sam_hq
from wesam.models.official.decoder import Rules
from wesam.models.official.fill import publisher_tensors


class OfficialFormat(NamedTuple):
    """How a family's publisher names its tensors.

    Attributes:
        sign: matches the name of a tensor that every file has, and none of a later line of the table.
        own_sign: likewise among the names that transformers gives.
        rules: from transformers' names to the publisher's.
        read: from tensors to the network; raises `WesamError` where they are no whole model.
        write: from the network to tensors; raises `WesamError` where the format cannot tell its reader what it needs.
        within: the key under which the file holds the tensors; None if it is nothing but them.
    """

    sign: str
    own_sign: str
    rules: Rules
    read: Callable[[Mapping[str, Tensor]], nn.Module]
    write: Callable[[Any], dict[str, Tensor]]
    within: str | None = None

    def renamed(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Tensors of transformers' names under the publisher's."""
        return publisher_tensors(state, self.rules)


# The first whose sign is there reads a file: SAM's own is part of SAM-HQ's, too.
_FORMATS: dict[str, OfficialFormat] = {
    "sam_hq": OfficialFormat(
        r"mask_decoder\.hf_token\.weight",
        r"mask_decoder\.hq_token\.weight",
        sam_hq.RULES,
        sam_hq.from_official,
        sam_hq.to_official,
    ),
    "sam": OfficialFormat(
        r"image_encoder\.patch_embed\.proj\.weight",
        r"vision_encoder\.patch_embed\.projection\.weight",
        sam.RULES,
        sam.from_official,
        sam.to_official,
    ),
    "sam2": OfficialFormat(
        r"image_encoder\.trunk\.pos_embed_window",
        r"vision_encoder\.backbone\.pos_embed_window",
        sam2.RULES,
        sam2.from_official,
        sam2.to_official,
        within="model",
    ),
    "edgetam": OfficialFormat(
        r"image_encoder\.trunk\.body\..*",
        r"vision_encoder\.backbone\.timm_model\..*",
        edgetam.RULES,
        edgetam.from_official,
        edgetam.to_official,
        within="model",
    ),
}


def official_families() -> list[str]:
    """The model types of the families that have a format of their publisher's."""
    return list(_FORMATS)


def official_format(model_type: str) -> OfficialFormat:
    """The format of a family of `official_families`."""
    return _FORMATS[model_type]


class Found(NamedTuple):
    """A family's tensors among others.

    Attributes:
        format: the family's.
        own: whether they bear transformers' names.
        prefixes: what stands before the family's own names; more than one where there are several models.
    """

    format: OfficialFormat
    own: bool
    prefixes: list[str]


def find_format(names: Iterable[str]) -> Found | None:
    """The family whose tensors have these names, whatever stands before all of them; None if it is none of ours."""
    names = list(names)
    for form in _FORMATS.values():
        for own, sign in ((False, form.sign), (True, form.own_sign)):
            matches = map(re.compile(rf"(|.*?\.){sign}").fullmatch, names)
            prefixes = sorted({match[1] for match in matches if match})
            if prefixes:
                return Found(form, own, prefixes)
    return None
