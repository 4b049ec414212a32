from __future__ import annotations

import torch

from wesam.objectives.label_knowledge import within_boxes


def test_nothing_is_left_outside_the_box_and_its_slack() -> None:
    masks = torch.ones(3, 8, 8, dtype=torch.bool)
    boxes = torch.tensor([[2.0, 3.0, 4.0, 6.0], [2.0, 3.0, 4.0, 6.0], [float("nan")] * 4])
    tight = within_boxes(masks, boxes, slack=0)
    expected = torch.zeros(8, 8, dtype=torch.bool)
    expected[3:6, 2:4] = True
    assert torch.equal(tight[0], expected)
    assert tight[2].all()  # no box, no constraint
    loose = within_boxes(masks, boxes, slack=0.5)  # one cell across, one and a half (so two) down
    expected[1:8, 1:5] = True
    assert torch.equal(loose[1], expected)


def test_a_mask_never_grows() -> None:
    masks = torch.rand(2, 8, 8) > 0.5
    kept = within_boxes(masks, torch.tensor([[0.0, 0.0, 8.0, 8.0], [1.0, 1.0, 3.0, 3.0]]), slack=0.1)
    assert torch.equal(kept[0], masks[0])
    assert not (kept & ~masks).any()
