"""A tiny segmenter whose adapter changes its answers, and what it means for an export to agree with it."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from tests.tiny import tiny_segmenter
from wesam.models.segmenter import Segmenter
from wesam.types import Prompts
from wesam.updates.lora import LoraSettings
from wesam.updates.update import add_update, update_of

PIXELS = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
BOXES = Prompts(boxes=torch.tensor([[5.0, 6, 40, 50], [9, 9, 60, 30]]))


def adapted_segmenter(target: Literal["qkv", "qv", "all-linear"] = "qkv") -> Segmenter:
    segmenter = tiny_segmenter()
    source = encoded(segmenter)
    add_update(segmenter, LoraSettings(target=target), seed=0)
    for parameter in update_of(segmenter).parameters():
        parameter.data.add_(0.05)
    assert not torch.allclose(encoded(segmenter), source, atol=1e-2)
    return segmenter


def encoded(segmenter: Segmenter) -> Tensor:
    with torch.no_grad():
        return segmenter.encode(PIXELS).pooled


def assert_same_answers(got: Segmenter, expected: Segmenter) -> None:
    with torch.no_grad():
        answers = [s.decode(s.encode(PIXELS), BOXES, torch.arange(2)) for s in (got, expected)]
    torch.testing.assert_close(answers[0].logits, answers[1].logits, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(answers[0].iou, answers[1].iou, rtol=1e-4, atol=1e-5)
