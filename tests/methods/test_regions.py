from __future__ import annotations

from dataclasses import replace

import torch

from tests.methods.scenes import GRID, INPUT, adapted_segmenter, make_batch
from wesam.methods.regions import around, certain, object_boxes, tight_boxes
from wesam.types import Prompts


def test_tight_boxes_hold_all_cells_and_no_more() -> None:
    masks = torch.zeros(2, 6, 8, dtype=torch.bool)[:, :, :6]
    masks[0, 2:4, 1:5] = True
    assert tight_boxes(masks).tolist() == [[1, 2, 5, 4], [0, 0, 6, 6]]


def test_cells_around_a_box() -> None:
    boxes = torch.tensor([[2.0, 3.0, 4.0, 5.0]])
    assert around(boxes, 8, 0.0)[0].nonzero().tolist() == [[y, x] for y in (3, 4) for x in (2, 3)]
    assert around(boxes, 8, 0.5).sum() == 16


def test_a_label_without_box_has_that_of_its_mask() -> None:
    segmenter, batch = adapted_segmenter(), make_batch((1,))
    masks = torch.zeros(1, GRID, GRID, dtype=torch.bool)
    masks[0, 3:5, 6:7] = True
    given = object_boxes(batch, segmenter, masks)
    torch.testing.assert_close(given, batch.prompts.boxes * (GRID / INPUT))
    bare = replace(batch, prompts=Prompts(points=torch.zeros(1, 1, 2), point_labels=torch.ones(1, 1, dtype=torch.long)))
    assert object_boxes(bare, segmenter, masks).tolist() == [[6, 3, 7, 5]]


def test_what_a_label_says_for_certain() -> None:
    batch = make_batch((1, 1))
    cell = INPUT // GRID
    prompts = Prompts(
        boxes=torch.tensor([[8.0, 8.0, 24.0, 24.0], [torch.nan] * 4]),
        points=torch.tensor([[[9.0, 10.0], [20.0, 20.0]], [[4.0, 4.0], [0.0, 0.0]]]),
        point_labels=torch.tensor([[1, 0], [1, -1]]),
    )
    on, off = certain(replace(batch, prompts=prompts), adapted_segmenter())
    assert on.nonzero().tolist() == [[0, 10 // cell, 9 // cell], [1, 1, 1]]
    expected = torch.ones(GRID, GRID, dtype=torch.bool)
    expected[2:6, 2:6] = False
    expected[5, 5] = True
    torch.testing.assert_close(off[0], expected)
    torch.testing.assert_close(off[1], batch.valid[1] == 0)  # of a click alone nothing but the padding
