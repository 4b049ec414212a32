from __future__ import annotations

import pytest
import torch

from tests.losses import oracles
from wesam.losses.partial import partial_cross_entropy


def test_equals_the_oracle() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(4, 12, generator=generator)
    target = (torch.rand(4, 12, generator=generator) > 0.7).float()
    known = torch.rand(4, 12, generator=generator) > 0.3
    known[2] &= target[2] > 0  # one side alone
    known[3] = False
    expected = [
        oracles.partial(row[None], {(0, k): bool(t[k]) for k in range(12) if seen[k]})
        for row, t, seen in zip(logits, target, known, strict=True)
    ]
    assert expected[3] == 0
    torch.testing.assert_close(partial_cross_entropy(logits, target, known), torch.tensor(expected))


def test_one_click_on_an_object_weighs_as_much_as_many_beside_it() -> None:
    logits = torch.zeros(2, 51, requires_grad=True)
    target = torch.zeros(2, 51)
    target[:, 0] = 1
    known = torch.ones(2, 51, dtype=torch.bool)
    partial_cross_entropy(logits, target, known)[0].backward()
    assert logits.grad is not None
    assert logits.grad[0, 0].item() == pytest.approx(-0.25)
    assert logits.grad[0, 1:].sum().item() == pytest.approx(0.25)
    assert not logits.grad[1].any()


def test_nothing_known_and_huge_logits_are_finite() -> None:
    logits = torch.tensor([[1e4, -1e4]], requires_grad=True)
    for known in (torch.zeros(1, 2), torch.ones(1, 2)):
        loss = partial_cross_entropy(logits, torch.tensor([[0.0, torch.nan]]), known.bool())
        loss.sum().backward()
        assert torch.isfinite(loss).all()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match="expected logits, target and known"):
        partial_cross_entropy(torch.zeros(2, 3), torch.zeros(2, 3), torch.zeros(2, 4).bool())
