"""Which network this is, told by its weights and not by its name."""

from __future__ import annotations

import hashlib
import json

import torch
from peft.tuners.lora import LoraLayer

from wesam.segmenters.base import Segmenter


def fingerprint(segmenter: Segmenter) -> bytes:
    """A hash of all that decides what a segmenter answers: weights, adapter, input, precision."""
    total = hashlib.sha256()
    format_ = [segmenter.input_size, segmenter.mask_grid, segmenter.pixel_mean, segmenter.pixel_std]
    total.update(json.dumps([*format_, getattr(segmenter, "precision", None)]).encode())
    for name, weight in sorted(segmenter.state_dict().items()):
        total.update(f"{name} {weight.dtype} {tuple(weight.shape)}".encode())
        total.update(weight.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    total.update(adapter_switches(segmenter))
    return total.digest()


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
