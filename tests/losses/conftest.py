"""Masks that several losses are asked about."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from torch import Tensor


class Masks(NamedTuple):
    """N instances: mask logits, true masks, and what each pixel weighs, (N, H, W) each."""

    logits: Tensor
    target: Tensor
    weight: Tensor


@pytest.fixture
def drawn() -> Masks:
    """Three random instances of 4 x 5 pixels."""
    generator = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn(3, 4, 5, generator=generator)
    target = torch.rand(3, 4, 5, generator=generator) > 0.6
    return Masks(logits, target, torch.rand(3, 4, 5, generator=generator))


@pytest.fixture
def half_weighted() -> Masks:
    """Two random instances whose columns from the third on weigh nothing."""
    weight = torch.ones(2, 4, 4)
    weight[:, :, 2:] = 0
    return Masks(torch.randn(2, 4, 4), torch.rand(2, 4, 4) > 0.5, weight)


@pytest.fixture
def small_and_large() -> tuple[Masks, Masks]:
    """One instance, and the same drawn eight times as wide and high."""
    small = Masks(torch.tensor([[[2.0, -1.0], [0.5, -3.0]]]), torch.tensor([[[1, 1], [0, 0]]]), torch.ones(1, 2, 2))
    return small, Masks(*(part.repeat_interleave(8, 1).repeat_interleave(8, 2) for part in small))
