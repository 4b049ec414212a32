"""How unsure a mask is of its cells."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

#: Of a cell that is as likely in as out, in nats: the most there is.
LN2 = math.log(2.0)


def bernoulli_entropy(logits: Tensor) -> Tensor:
    """``H(p) = -p ln p - (1 - p) ln(1 - p)`` of each cell with p = sigmoid(logit), in [0, ln 2]; any shape."""
    x = logits.float()
    p = x.sigmoid()
    # -ln p = softplus(-x) and -ln(1 - p) = softplus(x), so neither ever loses digits.
    return p * F.softplus(-x) + (1 - p) * F.softplus(x)


def entropy_of_share(share: Tensor) -> Tensor:
    """The same from a probability in [0, 1]; any shape."""
    p = share.float().clamp(1e-6, 1 - 1e-6)
    return -(p * p.log() + (1 - p) * (1 - p).log())


def pixel_softmax_entropy(logits: Tensor) -> Tensor:
    """Entropy of the softmax over all cells of a mask, as a fraction of the largest: an oddity of WeSAM's authors.

    Args:
        logits: (N, H, W).

    Returns:
        (N,) in [0, 1].
    """
    logs = F.log_softmax(logits.float().flatten(1), 1)
    return -(logs.exp() * logs).sum(1) / math.log(logs.shape[1])


def weighted_mean(values: Tensor, weight: Tensor | None) -> Tensor:
    """(N,) mean over the cells of each of N maps; 0 where no cell has weight.

    Args:
        values: (N, H, W).
        weight: (N, H, W), at least 0; None weighs all alike.
    """
    if weight is None:
        return values.mean((1, 2))
    total = weight.sum((1, 2))
    return (values * weight).sum((1, 2)) / torch.where(total > 0, total, torch.ones_like(total))
