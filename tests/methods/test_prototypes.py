from __future__ import annotations

import torch
import torch.nn.functional as F

from wesam.methods.prototypes import nearness, on_feature_grid, prototypes, relabelled


def scene() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(2, 5, 4, 4, generator=generator)
    return features, torch.tensor([0, 1, 1]), torch.rand(3, 4, 4, generator=generator)


def test_prototypes_against_loops() -> None:
    features, index, weights = scene()
    found = prototypes(features, index, weights)
    for n, image in enumerate(index.tolist()):
        total = torch.zeros(5)
        for y in range(4):
            for x in range(4):
                total += weights[n, y, x] * features[image, :, y, x]
        torch.testing.assert_close(found[n], total / total.norm())


def test_nearness_against_loops() -> None:
    features, index, weights = scene()
    first, second = prototypes(features, index, weights), prototypes(features, index, 1 - weights)
    found = nearness(features, index, first, second)
    for n, image in enumerate(index.tolist()):
        for y in range(4):
            for x in range(4):
                cell = features[image, :, y, x]
                cosines = [F.cosine_similarity(cell, mean, dim=0) for mean in (first[n], second[n])]
                torch.testing.assert_close(found[n, y, x], cosines[0] - cosines[1])


def test_centroids_relabel_a_cell_that_looks_like_the_others() -> None:
    """Two kinds of features; the mask takes one cell too many and misses one."""
    truth = torch.zeros(4, 4)
    truth[:, :2] = 1
    kinds = torch.stack([truth, 1 - truth])[None]
    wrong = truth.clone()
    wrong[0, 3], wrong[3, 0] = 1, 0
    everywhere = torch.ones(1, 4, 4)
    found = relabelled(kinds, torch.tensor([0]), 0.2 + 0.6 * wrong[None], everywhere)
    torch.testing.assert_close(found[0], truth)
    region = everywhere.clone()
    region[0, 0] = 0
    assert relabelled(kinds, torch.tensor([0]), wrong[None], region)[0, 0].sum() == 0


def test_areas_on_the_feature_grid() -> None:
    maps = torch.zeros(1, 4, 4)
    maps[0, :2, :1] = 1
    assert on_feature_grid(maps, 2).tolist() == [[[0.5, 0], [0, 0]]]
