from __future__ import annotations

import pytest
import torch

from tests.methods.learning import learn
from tests.methods.scenes import GRID, adapted_segmenter, make_batch
from wesam.losses.entropy import LN2
from wesam.methods.branches import Branches
from wesam.methods.shot import Shot, ShotSettings


def method(**settings: float) -> Shot:
    return Shot(adapted_segmenter(), ShotSettings(**settings))


def test_diversity_is_least_where_half_the_box_is_object() -> None:
    shot, batch = method(), make_batch((1,))
    branches = Branches(shot.segmenter, batch)
    region = shot.region(branches, batch)[0] > 0
    share = branches.student_weak.logits[0].sigmoid()[region].mean().item()
    p = torch.tensor(share)
    expected = LN2 + (p * p.log() + (1 - p) * (1 - p).log()).item()
    assert shot.diversity(branches, batch).item() == pytest.approx(expected, abs=1e-5)


def test_the_region_is_the_padded_box_on_the_image() -> None:
    shot, batch = method(margin=0.5), make_batch((1, 1))
    region = shot.region(Branches(shot.segmenter, batch), batch)
    x0, y0, x1, y1 = (batch.prompts.boxes[0] / 4).tolist()  # type: ignore[index]
    for y in range(GRID):
        for x in range(GRID):
            across, down = 0.5 * (x1 - x0), 0.5 * (y1 - y0)
            touched = x + 1 > x0 - across and x < x1 + across and y + 1 > y0 - down and y < y1 + down
            assert region[0, y, x] == touched
    assert not region[1, 12:].any()  # padding


def test_it_learns() -> None:
    totals = learn(method())
    assert totals[-1] < totals[0]


def test_labels_are_given_by_weights_that_are_renewed_fifteen_times() -> None:
    shot = method()
    first = {name: tensor.clone() for name, tensor in shot.labeller.weights().items()}
    learn(shot, steps=1)
    shot.progress = 0.5 / 15
    shot.after_step()
    assert all(torch.equal(tensor, first[name]) for name, tensor in shot.labeller.weights().items())
    shot.progress = 1.5 / 15
    shot.after_step()
    assert any(not torch.equal(tensor, first[name]) for name, tensor in shot.labeller.weights().items())
    assert int(shot.own_state()["renewed"]) == 1
