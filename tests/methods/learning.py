"""A few steps of a method on one batch."""

from __future__ import annotations

import torch

from tests.methods.scenes import make_batch
from wesam.batches.batch import Batch
from wesam.methods.base import Method


def learn(method: Method, batch: Batch | None = None, steps: int = 5, rate: float = 1e-2) -> list[float]:
    """Adam on the segmenter's trainable weights; the total before each step and after the last."""
    batch = make_batch() if batch is None else batch
    weights = [weight for weight in method.segmenter.parameters() if weight.requires_grad]
    adam = torch.optim.Adam([*weights, *method.own_parameters()], lr=rate)
    totals = []
    for _ in range(steps):
        loss = method(batch)["total"]
        totals.append(loss.item())
        adam.zero_grad()
        loss.backward()
        adam.step()
        method.after_step()
    return [*totals, method(batch)["total"].item()]
