"""A model with its adapter, as every command uses it."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from wesam.errors import WesamError, WesamWarning
from wesam.models.load import load_source
from wesam.models.segmenter import Segmenter
from wesam.updates.lora import PEFT_CONFIG_FILE, PEFT_WEIGHTS_FILE, LoraPart, LoraSettings
from wesam.updates.part import Part
from wesam.updates.peft_config import read_peft_config
from wesam.updates.registry import read_settings
from wesam.updates.settings import UpdateSettings
from wesam.updates.update import (
    SETTINGS_FILE,
    SOURCE_FILE,
    WEIGHTS_FILE,
    Update,
    put_in_place,
    source_of,
    update_of,
)

# What the first version called its settings.
_OLD_SETTINGS_FILE = "lora_settings.json"


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


def attach_adapter(segmenter: Segmenter, folder: Path, trainable: bool = False) -> Update:
    """Puts a saved adapter into a network, in place.

    Args:
        segmenter: one without an adapter.
        folder: an adapter's folder as `Update.save` writes it, or a peft LoRA folder that another package made.
        trainable: whether its weights take gradients.

    Warns if the adapter was made from other weights, where it says from which.

    Raises:
        ValueError: if the segmenter already has an adapter.
        WesamError: if the folder is not such a folder, or was made for another architecture, or a weight is not
            finite. The segmenter is then as before.
    """
    source = source_of(segmenter)
    settings = _read_settings(folder)
    if (folder / PEFT_CONFIG_FILE).is_file() or settings is None or settings.kind == "lora":
        weights = folder / PEFT_WEIGHTS_FILE
        state, made_on, parts = _peft_parts(segmenter, folder, settings)
    else:
        weights = folder / WEIGHTS_FILE
        state, made_on = _read_weights(weights), "another model"
        parts = settings.parts(segmenter, seed=0)
    update = Update(segmenter, settings, parts, source)
    try:
        update.load(state, source=str(weights))
    except WesamError:
        for part in reversed(parts):
            part.remove()
        raise
    _warn_of_another_source(segmenter, folder, made_on, source)
    put_in_place(segmenter, settings, parts, source)
    for parameter in update.parameters():
        parameter.requires_grad_(trainable)
    return update


def start_from(segmenter: Segmenter, folder: Path) -> str:
    """Gives the fresh update of a network the weights of a saved adapter. The source model stays the source model.

    Args:
        segmenter: with an update in place (`add_update`).
        folder: of an adapter that was made from the same source model by the same settings.

    Returns:
        SHA-256 of the adapter's weights file, which the update notes as its parent's.

    Raises:
        WesamError: if it is another kind of update, of another model, or cannot be read; nothing has changed then.
    """
    update = update_of(segmenter)
    own, settings = update.settings, _read_settings(folder)
    if settings is None:
        raise WesamError(f"{folder}: expected the adapter of a run, a folder with {SETTINGS_FILE}, got another one")
    if own is None or _decisive(settings) != _decisive(own):
        raise WesamError(
            f"{folder}: expected an adapter of the kind that this run has, {_in_words(own)}, got "
            f"{_in_words(settings)}; where no other update is set, a run takes that of the adapter"
        )
    made_on = (folder / SOURCE_FILE).read_text(encoding="utf-8").strip() if (folder / SOURCE_FILE).is_file() else ""
    if made_on != update.source:
        raise WesamError(
            f"{folder}: expected an adapter of {segmenter.name}, got one that was made from other weights; go on with "
            f"the model that it was made from"
        )
    if (folder / PEFT_CONFIG_FILE).is_file():
        config = read_peft_config(folder / PEFT_CONFIG_FILE)
        if config.lora_alpha != config.r or config.alpha_pattern:
            raise WesamError(
                f"{folder}: expected an update not scaled, got lora_alpha={config.lora_alpha} with r={config.r}, "
                f"as an earlier version could make it; merge it into the model (`wesam export`) and start from that"
            )
    weights = folder / (PEFT_WEIGHTS_FILE if (folder / PEFT_WEIGHTS_FILE).is_file() else WEIGHTS_FILE)
    update.load(_read_weights(weights), source=str(weights))
    update.parent = hashlib.sha256(weights.read_bytes()).hexdigest()
    return update.parent


def _decisive(settings: UpdateSettings) -> dict[str, Any]:
    """What decides which weights there are and how they act; how they learn may differ."""
    return {name: value for name, value in settings.model_dump().items() if name != "rate"}


def _in_words(settings: UpdateSettings | None) -> str:
    if settings is None:
        return "none"
    values = settings.model_dump(exclude_none=True, exclude={"kind", "rate"})
    return " ".join([settings.kind, *(f"{name}={value}" for name, value in values.items())])


def _peft_parts(
    segmenter: Segmenter, folder: Path, settings: UpdateSettings | None
) -> tuple[dict[str, Tensor], str, Sequence[Part]]:
    for name in (PEFT_CONFIG_FILE, PEFT_WEIGHTS_FILE):
        if not (folder / name).is_file():
            raise WesamError(
                f"{folder}: expected a peft folder with {PEFT_CONFIG_FILE} and {PEFT_WEIGHTS_FILE}, got none of {name}"
            )
    config = read_peft_config(folder / PEFT_CONFIG_FILE)
    state = _read_weights(folder / PEFT_WEIGHTS_FILE)
    made_on = str(config.base_model_name_or_path)
    try:
        part = LoraPart(segmenter.network, config, 1.0 if settings is None else settings.rate)
    except ValueError as error:  # peft's word for "no layer of this name"
        raise WesamError(f"{folder / PEFT_CONFIG_FILE}: does not fit {segmenter.name}: {error}") from error
    if isinstance(settings, LoraSettings) and settings.target == "qv":
        part.hold_query_value_structure()
    return state, made_on, [part]


def _read_weights(file: Path) -> dict[str, Tensor]:
    try:
        state = load_file(file)
    except (SafetensorError, OSError) as error:
        raise WesamError(f"{file}: expected safetensors, got: {error}") from error
    for name, tensor in sorted(state.items()):
        if not bool(torch.isfinite(tensor).all()):
            raise WesamError(f"{file}: tensor {name}: expected finite numbers, got some that are not; it is damaged")
    return state


def _read_settings(folder: Path) -> UpdateSettings | None:
    """The settings that an adapter was made by; None for one that another package made."""
    file = folder / SETTINGS_FILE
    if not file.is_file():
        file = folder / _OLD_SETTINGS_FILE
    return read_settings(file) if file.is_file() else None


def _warn_of_another_source(segmenter: Segmenter, folder: Path, made_on: str, source: str) -> None:
    file = folder / SOURCE_FILE
    if file.is_file() and file.read_text(encoding="utf-8").strip() != source:
        warnings.warn(
            f"{folder}: expected the weights of {made_on}, which this adapter is of, got others of the same "
            f"shapes in {segmenter.name}; its masks may be bad",
            WesamWarning,
            stacklevel=3,
        )
