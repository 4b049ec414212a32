"""Every kind of update with settings worth testing, on small networks of every family that has it."""

from __future__ import annotations

from typing import Any

import torch
from pydantic import TypeAdapter
from torch import Tensor

from tests.tiny import tiny_segmenter
from wesam.models.segmenter import Segmenter
from wesam.types import Prompts
from wesam.updates.registry import AnyUpdateSettings
from wesam.updates.update import Update, add_update

#: Settings by a short name.
KINDS: dict[str, Any] = {
    "lora": {"kind": "lora"},
    "lora-qv": {"kind": "lora", "target": "qv", "rank": 2},
    "lora-all": {"kind": "lora", "target": "all-linear"},
    "lora-last": {"kind": "lora", "target": "all-linear", "last": 0.5},
    "norms": {"kind": "norms"},
    "renewed-norms": {"kind": "norms", "renew_statistics": True},
    "decoder": {"kind": "decoder"},
    "encoder": {"kind": "encoder"},  # at a higher rate the small network of edgetam dies
    "prompt-tokens": {"kind": "prompt-tokens"},
    "mix": [{"kind": "lora", "target": "all-linear"}, {"kind": "norms", "renew_statistics": True}, {"kind": "decoder"}],
}
FAMILIES = ("sam", "sam_hq", "sam2", "edgetam", "sam3_tracker")
BOXES = Prompts(boxes=torch.tensor([[5.0, 6, 40, 50], [9, 9, 60, 30]]))


def network(family: str) -> Segmenter:
    """The same small network at each call."""
    return tiny_segmenter(family=family)


def settings_of(kind: str) -> Any:
    return TypeAdapter(AnyUpdateSettings).validate_python(KINDS[kind])


def updated(kind: str, family: str, seed: int = 0) -> tuple[Segmenter, Update]:
    segmenter = network(family)
    return segmenter, add_update(segmenter, settings_of(kind), seed)


def pixels(segmenter: Segmenter) -> Tensor:
    size = segmenter.input_size
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1))


def predicted(segmenter: Segmenter) -> tuple[Tensor, Tensor]:
    """Mask logits and predicted IoU of a box on each of two images, as at prediction."""
    training = segmenter.training
    segmenter.eval()
    with torch.no_grad():
        found = segmenter.decode(segmenter.encode(pixels(segmenter)), BOXES, torch.arange(2))
    segmenter.train(training)
    return found.logits, found.iou


def optimiser_of(update: Update, learning_rate: float = 1e-2) -> torch.optim.Optimizer:
    groups = [{"params": group.parameters, "lr": learning_rate * group.rate} for group in update.parameter_groups()]
    return torch.optim.Adam(groups)


def train(segmenter: Segmenter, update: Update, optimiser: torch.optim.Optimizer, steps: int = 2) -> None:
    """Steps as the training loop takes them."""
    segmenter.train()
    for _ in range(steps):
        optimiser.zero_grad()
        found = segmenter.decode(segmenter.encode(pixels(segmenter)), BOXES, torch.arange(2))
        (found.logits.sigmoid().mean() + found.iou.mean()).backward()
        update.decay(1e-2)
        optimiser.step()


def same(one: tuple[Tensor, ...], other: tuple[Tensor, ...]) -> bool:
    """Bit for bit."""
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def close(one: tuple[Tensor, ...], other: tuple[Tensor, ...]) -> None:
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)
