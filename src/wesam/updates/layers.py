"""Which layers of a network an update may change."""

from __future__ import annotations

import re

from wesam.errors import WesamError
from wesam.models.family import Target
from wesam.models.segmenter import Segmenter


def layer_names(segmenter: Segmenter, target: Target, kind: str, last: float = 1.0) -> list[str]:
    """The full names of a network's layers that a target means, in the order in which data passes.

    Args:
        segmenter: without an update.
        target: what to look for.
        kind: of the update that asks, for the error.
        last: the fraction of the encoder's blocks that are looked at: the last ones, at least one.

    Raises:
        WesamError: if the network has no such layer.
    """
    family = segmenter.family
    found = _matching(segmenter, [name for name, _ in segmenter.network.named_modules()], target, kind)
    if last == 1:
        return found
    block_of = {name: match.group() for name in found if (match := re.match(family.block, name))}
    blocks = list(dict.fromkeys(block_of.values()))
    kept = blocks[len(blocks) - max(1, round(last * len(blocks))) :]
    return [name for name in found if block_of.get(name) in kept]


def weight_names(segmenter: Segmenter, target: Target, kind: str) -> list[str]:
    """The full names of a network's weights within a target.

    Args:
        segmenter, target, kind: see `layer_names`.

    Raises:
        WesamError: if the network has none.
    """
    return _matching(segmenter, [name for name, _ in segmenter.network.named_parameters()], target, kind)


def _matching(segmenter: Segmenter, names: list[str], target: Target, kind: str) -> list[str]:
    pattern = segmenter.family.targets.get(target)
    found = [name for name in names if pattern is not None and re.fullmatch(pattern, name)]
    if not found:
        raise WesamError(
            f"update {kind}: expected a model with {target} to change, got {segmenter.name} of the family "
            f"{segmenter.family.model_type}, which has none"
        )
    return found
