"""Mean features of each object and of what lies around it, and which of the two a cell is nearer to."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def on_feature_grid(maps: Tensor, grid: int) -> Tensor:
    """Maps (N, m, m) by area average on the feature grid: (N, g, g) float."""
    return F.adaptive_avg_pool2d(maps.float()[:, None], (grid, grid))[:, 0]


def prototypes(features: Tensor, image_index: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean of an image's features, of length 1; 0 where nothing has weight.

    Args:
        features: (B, C, g, g).
        image_index: (N,) int64.
        weights: (N, g, g), at least 0.

    Returns:
        (N, C).
    """
    every = (weights.flatten(1) @ features.float().flatten(2).transpose(1, 2)).transpose(0, 1)  # (N, B, C)
    sums = every[torch.arange(len(weights), device=weights.device), image_index]
    return F.normalize(sums, dim=1)


def nearness(features: Tensor, image_index: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """By how much each cell's feature is nearer to the first prototype than to the second, by cosine.

    Args:
        features: (B, C, g, g).
        image_index: (N,) int64.
        first, second: (N, C) of length 1.

    Returns:
        (N, g, g) in [-2, 2].
    """
    cells = F.normalize(features.float(), dim=1).flatten(2)  # (B, C, g g)
    every = torch.einsum("nc,bcl->nbl", first - second, cells)
    own = every[torch.arange(len(first), device=first.device), image_index]
    return own.reshape(len(own), features.shape[2], features.shape[3])


def relabelled(features: Tensor, image_index: Tensor, probability: Tensor, region: Tensor, rounds: int = 2) -> Tensor:
    """SHOT's labels (Liang et al. 2020): which cells are nearer to their object's centroid than to the rest's.

    The first centroids are weighted by the probability and its complement, the next by the labels that these gave.

    Args:
        features: (B, C, g, g).
        image_index: (N,) int64.
        probability: (N, g, g) of the mask.
        region: (N, g, g), at least 0: what counts for an object; cells outside stay 0.
        rounds: how often labels are given.

    Returns:
        (N, g, g) float in {0, 1}.
    """
    labels = probability.float()
    for _ in range(rounds):
        inside = prototypes(features, image_index, labels * region)
        outside = prototypes(features, image_index, (1 - labels) * region)
        labels = ((nearness(features, image_index, inside, outside) > 0) & (region > 0)).float()
    return labels
