from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.methods.scenes import make_batch
from wesam.batches.batch import Batch
from wesam.methods.sampling import values_at
from wesam.methods.terms.points import point_loss, with_points_of_others
from wesam.types import Prompts

NAN = float("nan")
INPUT, GRID = 64, 16  # a cell is 4 pixels wide


def clicked(
    clicks: list[list[tuple[float, float, int]]],
    boxes: list[list[float]] | None = None,
    outlines: torch.Tensor | None = None,
    images: list[int] | None = None,
) -> Batch:
    """A batch whose prompts hold these clicks; one image unless said otherwise."""
    most = max(map(len, clicks))
    padded = [row + [(0.0, 0.0, -1)] * (most - len(row)) for row in clicks]
    values = torch.tensor(padded)
    images = images or [0] * len(clicks)
    batch = make_batch(tuple(images.count(image) for image in range(max(images) + 1)))
    return replace(
        batch,
        prompts=Prompts(
            boxes=None if boxes is None else torch.tensor(boxes),
            points=values[..., :2],
            point_labels=values[..., 2].long(),
        ),
        outlines=outlines,
    )


def claims(batch: Batch) -> list[list[tuple[float, float]]]:
    """Of each object, the points of others that count as its negatives."""
    assert batch.prompts.point_labels is not None
    points, labels = with_points_of_others(batch, INPUT / GRID)
    own = batch.prompts.point_labels.shape[1]
    assert torch.equal(labels[:, :own], batch.prompts.point_labels)
    assert not (labels[:, own:] == 1).any()
    return [
        [(float(x), float(y)) for (x, y), label in zip(row[own:], kind[own:], strict=True) if label == 0]
        for row, kind in zip(points, labels, strict=True)
    ]


def test_points_are_read_where_they_lie() -> None:
    maps = torch.arange(GRID**2).float().view(1, GRID, GRID)
    middle = torch.tensor([[[9.5, 21.5], [1.5, 1.5], [-0.5, 63.5]]])  # indices: half a pixel before the place
    assert values_at(maps, middle, INPUT, "bilinear").tolist() == [[5 * GRID + 2, 0, 15 * GRID]]
    between = torch.tensor([[[11.5, 21.5]]])
    assert values_at(maps, between, INPUT, "bilinear").item() == pytest.approx(5 * GRID + 2.5)


def test_positives_in_and_negatives_out() -> None:
    logits = torch.full((2, GRID, GRID), -20.0)
    logits[0, 5, 2] = 20
    right = clicked([[(9.5, 21.5, 1), (41.5, 1.5, 0)], []])
    wrong = clicked([[(9.5, 21.5, 0), (41.5, 1.5, 1)], []])
    assert point_loss(logits, right, INPUT).tolist() == pytest.approx([0, 0], abs=1e-6)
    assert point_loss(logits, wrong, INPUT).tolist() == pytest.approx([20, 0])
    boxes = replace(right, prompts=Prompts(boxes=torch.zeros(2, 4)))
    assert point_loss(logits, boxes, INPUT).tolist() == [0, 0]


def test_the_positives_of_one_object_are_negatives_of_the_others_in_its_image() -> None:
    batch = clicked([[(10, 10, 1), (50, 50, 0)], [(30, 30, 1), (34, 30, 1)], [(20, 50, 1)]], images=[0, 0, 1])
    assert claims(batch) == [[(30, 30), (34, 30)], [(10, 10)], []]
    logits = torch.full((3, GRID, GRID), 20.0)
    with_others = point_loss(logits, batch, INPUT)
    assert with_others.tolist() == pytest.approx([10, 10, 0], abs=1e-6)


def test_a_click_that_ones_own_label_might_hold_says_nothing() -> None:
    """A nucleus in its cell: the nucleus's click is on the cell, but the cell's may be off the nucleus."""
    cell, nucleus = [0.0, 0.0, 40.0, 40.0], [10.0, 10.0, 20.0, 20.0]
    clicks = [[(35.0, 35.0, 1)], [(15.0, 15.0, 1)]]
    assert claims(clicked(clicks, boxes=[cell, nucleus])) == [[], [(35, 35)]]
    assert claims(clicked(clicks, boxes=[[NAN] * 4, nucleus])) == [[(15, 15)], [(35, 35)]]
    outlines = torch.full((2, GRID, GRID), NAN)
    outlines[0] = -1
    outlines[0, :10, :10] = 1
    assert claims(clicked(clicks, outlines=outlines)) == [[], [(35, 35)]]


def test_two_clicks_in_one_place_do_not_contradict_each_other() -> None:
    assert claims(clicked([[(10, 10, 1), (40, 40, 1)], [(13, 10, 1)]])) == [[], [(40, 40)]]


def test_no_points_no_claims() -> None:
    with pytest.raises(ValueError, match="with points"):
        with_points_of_others(make_batch(), 4.0)
