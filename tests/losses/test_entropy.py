from __future__ import annotations

import math

import pytest
import torch

from wesam.losses.entropy import (
    LN2,
    bernoulli_entropy,
    entropy_of_share,
    pixel_softmax_entropy,
    weighted_mean,
)


@pytest.mark.parametrize("logit", [-3.0, -0.5, 0.0, 2.0])
def test_entropy_of_a_cell_is_that_of_a_coin(logit: float) -> None:
    p = 1 / (1 + math.exp(-logit))
    expected = -p * math.log(p) - (1 - p) * math.log(1 - p)
    assert bernoulli_entropy(torch.tensor(logit)).item() == pytest.approx(expected, abs=1e-6)
    assert entropy_of_share(torch.tensor(p)).item() == pytest.approx(expected, abs=1e-5)


def test_entropy_is_finite_for_sure_cells_and_most_at_zero() -> None:
    assert bernoulli_entropy(torch.tensor([-200.0, 200.0])).tolist() == pytest.approx([0, 0])
    assert bernoulli_entropy(torch.zeros(1)).item() == pytest.approx(LN2)


def test_softmax_over_cells() -> None:
    even, peak = torch.zeros(1, 4, 4), torch.zeros(1, 4, 4)
    peak[0, 0, 0] = 100
    assert pixel_softmax_entropy(torch.cat([even, peak])).tolist() == pytest.approx([1, 0], abs=1e-5)


def test_mean_over_cells_that_count() -> None:
    values = torch.tensor([[[1.0, 5.0]], [[2.0, 2.0]]])
    weight = torch.tensor([[[1.0, 0.0]], [[0.0, 0.0]]])
    assert weighted_mean(values, weight).tolist() == [1, 0]
    assert weighted_mean(values, None).tolist() == [3, 2]
