"""A model with its adapter, as every command uses it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from wesam.models.load import load_source
from wesam.models.segmenter import Segmenter
from wesam.updates.lora import attach_adapter


def load_segmenter(
    model: str | Path,
    adapter: str | Path | None = None,
    device: str = "auto",
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "fp32",
) -> Segmenter:
    """Loads a promptable segmentation model, with an adapter if one is given, for inference.

    Args:
        model, device, precision: see `models.load.load_source`.
        adapter: folder of a saved adapter.

    Raises:
        WesamError: if there is no such model, or the adapter does not fit it.
    """
    segmenter = load_source(model, device=device, precision=precision)
    if adapter is not None:
        attach_adapter(segmenter, Path(adapter))
    return segmenter.eval()
