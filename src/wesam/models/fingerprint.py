"""Which network this is, told by its weights and not by its name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from peft.tuners.lora import LoraLayer
from torch import Tensor

from wesam.models.base import Segmenter

if TYPE_CHECKING:
    from wesam.models.sam import SamSegmenter


def fingerprint(segmenter: Segmenter) -> bytes:
    """A hash of all that decides what a segmenter answers: weights, adapter, input, precision."""
    total = hashlib.sha256()
    format_ = [segmenter.input_size, segmenter.mask_grid, segmenter.pixel_mean, segmenter.pixel_std]
    total.update(json.dumps([*format_, getattr(segmenter, "precision", None)]).encode())
    _add(total, segmenter.state_dict())
    total.update(adapter_switches(segmenter))
    return total.digest()


def source_fingerprint(segmenter: SamSegmenter) -> str:
    """A hash of the source model's weights alone, with an adapter in place or not."""
    total = hashlib.sha256()
    weights = segmenter.sam.state_dict().items()
    _add(total, {name.replace(".base_layer.", "."): weight for name, weight in weights if "lora_" not in name})
    return total.hexdigest()


def _add(total: hashlib._Hash, weights: Mapping[str, Tensor]) -> None:
    for name, weight in sorted(weights.items()):
        total.update(f"{name} {weight.dtype} {tuple(weight.shape)}".encode())
        total.update(weight.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)


def adapter_switches(segmenter: Segmenter) -> bytes:
    """What decides beside its weights how an adapter acts: its scale, and whether it is on (`Segmenter.anchor`).

    Unlike the weights this takes no time to read. Empty without an adapter.
    """
    switches = [
        f"{name} {sorted(module.scaling.items())} {module.active_adapters} {module.disable_adapters} {module.merged}\n"
        for name, module in segmenter.named_modules()
        if isinstance(module, LoraLayer)
    ]
    return "".join(switches).encode()
