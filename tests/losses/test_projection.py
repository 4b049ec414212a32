from __future__ import annotations

import math

import pytest
import torch

from tests.losses import oracles
from wesam.losses.projection import interval_cover, projection_loss


def test_equals_the_oracle() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 8, 8, generator=generator)
    boxes = torch.tensor([[1.0, 2.0, 5.0, 7.0], [0.25, 0.0, 3.5, 8.0], [6.0, 6.0, 7.0, 7.5]])
    expected = [oracles.projection(mask, box.tolist()) for mask, box in zip(logits, boxes, strict=True)]
    torch.testing.assert_close(projection_loss(logits, boxes), torch.tensor(expected))


def test_a_mask_that_touches_all_sides_is_perfect_whatever_its_shape() -> None:
    cross = torch.full((1, 8, 8), -40.0)
    cross[0, 4, 2:7] = 40
    cross[0, 1:6, 3] = 40
    assert projection_loss(cross, torch.tensor([[2.0, 1.0, 7.0, 6.0]])).item() == pytest.approx(0, abs=1e-6)
    assert projection_loss(cross, torch.tensor([[2.0, 1.0, 8.0, 6.0]])).item() > 0.05


def test_with_slack_nothing_is_asked_near_the_edges() -> None:
    boxes = torch.tensor([[2.0, 2.0, 6.0, 6.0]])
    for start, end, perfect in ((2, 6, True), (1, 7, True), (3, 5, True), (0, 6, False), (4, 5, False)):
        filled = torch.full((1, 8, 8), -40.0)
        filled[0, start:end, start:end] = 40
        # The centres of rows 1 and 2, 5 and 6 are half a cell from an edge: nearer than 0.2 of 4 cells.
        loss = projection_loss(filled, boxes, slack=0.2).item()
        assert (loss < 1e-5) == perfect, (start, end)
        assert (projection_loss(filled, boxes).item() < 1e-5) == ((start, end) == (2, 6))


def test_a_box_within_its_own_slack_asks_for_nothing_but_still_forbids_the_rest() -> None:
    speck = torch.tensor([[2.45, 2.45, 2.95, 2.95]])
    for value, least, most in ((-40.0, 0.0, 1e-5), (40.0, 1.99, 2.0)):
        loss = projection_loss(torch.full((1, 8, 8), value), speck, slack=0.4).item()
        assert least <= loss <= most + 1e-6


def test_without_a_box_there_is_neither_loss_nor_gradient() -> None:
    logits = torch.randn(2, 4, 4, requires_grad=True)
    boxes = torch.tensor([[0.0, 0.0, 2.0, 2.0], [float("nan")] * 4])
    loss = projection_loss(logits, boxes)
    assert loss[1] == 0
    loss.sum().backward()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert logits.grad[0].any()
    assert not logits.grad[1].any()


def test_cover_of_cells() -> None:
    cover = interval_cover(torch.tensor([0.5, -3.0]), torch.tensor([2.25, 9.0]), 4)
    torch.testing.assert_close(cover, torch.tensor([[0.5, 1.0, 0.25, 0.0], [1.0, 1.0, 1.0, 1.0]]))


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match="boxes"):
        projection_loss(torch.zeros(2, 4, 4), torch.zeros(3, 4))


@pytest.mark.parametrize("box", [(2.1, 2.1, 2.4, 2.4), (2.6, 2.6, 3.4, 3.4), (1.0, 5.9, 6.0, 6.3)])
def test_a_box_of_less_than_a_cell_does_not_ask_for_an_empty_mask(box: tuple[float, float, float, float]) -> None:
    x0, y0, x1, y1 = box
    touched = torch.full((1, 8, 8), -40.0)
    touched[0, int(y0) : math.ceil(y1), int(x0) : math.ceil(x1)] = 40
    boxes = torch.tensor([box])
    assert projection_loss(touched, boxes).item() < projection_loss(-touched.abs(), boxes).item()
    learned = touched.clone().clamp(-3, 3).requires_grad_()
    for _ in range(200):
        (slope,) = torch.autograd.grad(projection_loss(learned, boxes).sum(), learned)
        learned = (learned - 5 * slope).detach().requires_grad_()
    assert bool((learned > 0).any())
