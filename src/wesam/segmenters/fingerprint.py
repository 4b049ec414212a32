"""Which network this is, told by its weights and not by its name."""

from __future__ import annotations

import hashlib
import json

import torch

from wesam.segmenters.base import Segmenter


def fingerprint(segmenter: Segmenter) -> bytes:
    """A hash of all that decides what a segmenter answers: weights, adapter, input, precision."""
    total = hashlib.sha256()
    format_ = [segmenter.input_size, segmenter.mask_grid, segmenter.pixel_mean, segmenter.pixel_std]
    total.update(json.dumps([*format_, getattr(segmenter, "precision", None)]).encode())
    for name, weight in sorted(segmenter.state_dict().items()):
        total.update(f"{name} {weight.dtype} {tuple(weight.shape)}".encode())
        total.update(weight.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return total.digest()
