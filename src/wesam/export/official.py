"""An adapted model as its publisher's own checkpoint, for every tool that loads such files."""

from __future__ import annotations

from pathlib import Path

import torch

from wesam.atomic import replaced_file
from wesam.errors import WesamError
from wesam.models.families.shared import IMAGENET_MEAN, IMAGENET_STD
from wesam.models.official import official_format
from wesam.models.segmenter import Segmenter
from wesam.updates.update import merged_model


def export_official(segmenter: Segmenter, out: str | Path, overwrite: bool = False) -> None:
    """Writes the tensors under their original names with the adapter merged; the segmenter stays as it is.

    A model that was read from an original file and not adapted gives the same tensors back.

    Raises:
        WesamError: if `out` exists and `overwrite` is not set, or cannot be written, or the original format, which
            holds tensors alone, cannot tell its reader something that the model needs.
    """
    out = Path(out)
    if out.is_dir() or (out.exists() and not overwrite):
        raise WesamError(f"{out}: expected a path that does not exist yet, got one that does (see overwrite)")
    statistics = (tuple(segmenter.input.mean), tuple(segmenter.input.std))
    if statistics != (IMAGENET_MEAN, IMAGENET_STD):
        raise WesamError(
            f"the publisher's format cannot hold this model: pixel mean and std: "
            f"expected {(IMAGENET_MEAN, IMAGENET_STD)}, got {statistics}"
        )
    publisher = official_format(segmenter.family.model_type)
    state = publisher.write(merged_model(segmenter))
    try:
        with replaced_file(out) as partial:
            torch.save(state if publisher.within is None else {publisher.within: state}, partial)
    except (OSError, RuntimeError) as error:  # torch's own writer makes the latter of a full disk
        raise WesamError(f"{out}: expected a file that can be written, got: {error}") from error
