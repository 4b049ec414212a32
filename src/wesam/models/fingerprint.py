"""Which network this is, told by its weights and not by its name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import astuple

import torch
from torch import Tensor

from wesam.models.segmenter import Segmenter


def fingerprint(segmenter: Segmenter) -> bytes:
    """A hash of all that decides what a segmenter answers: weights, adapter, input, precision."""
    total = hashlib.sha256()
    total.update(json.dumps([*astuple(segmenter.input), segmenter.precision]).encode())
    _add(total, segmenter.state_dict())
    total.update(adapter_switches(segmenter))
    return total.digest()


def source_fingerprint(segmenter: Segmenter) -> str:
    """A hash of the weights alone of a network without an update."""
    total = hashlib.sha256()
    _add(total, segmenter.network.state_dict())
    return total.hexdigest()


def _add(total: hashlib._Hash, weights: Mapping[str, Tensor]) -> None:
    for name, weight in sorted(weights.items()):
        total.update(f"{name} {weight.dtype} {tuple(weight.shape)}".encode())
        total.update(weight.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)


def adapter_switches(segmenter: Segmenter) -> bytes:
    """What decides beside its weights how an update acts: its scale, and whether it is on (`Segmenter.anchor`).

    Unlike the weights this takes no time to read. Empty without an update.
    """
    return b"" if segmenter.update is None else segmenter.update.switches().encode()
