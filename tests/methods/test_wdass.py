from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from tests.methods.learning import learn
from tests.methods.scenes import adapted_segmenter, make_batch
from wesam.methods.branches import Branches
from wesam.methods.wdass import Taught, Wdass, WdassSettings, contrast, known_cells, self_training
from wesam.types import Prompts


def test_weak_labels_override_pseudo_labels() -> None:
    sure_on, sure_off, unsure = 10.0, -10.0, 0.0
    taught = torch.tensor([[[sure_on, sure_on, sure_off, sure_off, unsure, unsure]]])
    on = torch.tensor([[[0, 0, 1, 0, 1, 0]]]).bool()
    off = torch.tensor([[[1, 0, 0, 0, 0, 0]]]).bool()
    known_on, known_off = known_cells(taught, on, off, 0.95)
    assert known_on.tolist() == [[[0, 1, 1, 0, 1, 0]]]
    assert known_off.tolist() == [[[1, 0, 0, 1, 0, 0]]]


def test_losses_against_loops() -> None:
    method, batch = Wdass(adapted_segmenter(), WdassSettings()), make_batch((1, 1))
    branches = Branches(method.segmenter, batch)
    generator = torch.Generator().manual_seed(0)
    on = (torch.rand(2, 16, 16, generator=generator) > 0.8).float()
    off = ((torch.rand(2, 16, 16, generator=generator) > 0.7) & (on == 0)).float()
    teacher = torch.randn(branches.features_strong.pooled.shape, generator=generator)
    taught = Taught(teacher, on, off)
    logits, features = branches.student_strong.logits.detach(), branches.features_strong.pooled.detach()
    grid = features.shape[2]
    cell = 16 // grid
    for n in range(2):
        sides = []
        for known, sign in ((on[n], 1), (off[n], -1)):
            losses = [math.log1p(math.exp(-sign * logits[n, y, x].item())) for y, x in known.nonzero().tolist()]
            sides.append(sum(losses) / len(losses))
        assert self_training(branches, batch, taught)[n].item() == pytest.approx(sum(sides) / 2, rel=1e-4)
        weights = [known[n].view(grid, cell, grid, cell).mean((1, 3)) for known in (on, off)]
        means = [sum(w[y, x] * teacher[n, :, y, x] for y in range(grid) for x in range(grid)) for w in weights]
        sides = []
        for label, w in enumerate(weights):
            total = 0.0
            for y in range(grid):
                for x in range(grid):
                    near = torch.stack([F.cosine_similarity(features[n, :, y, x], mean, dim=0) for mean in means])
                    total += w[y, x].item() * -torch.log_softmax(near / 0.1, 0)[label].item()
            sides.append(total / w.sum().item())
        assert contrast(branches, batch, taught, 0.1)[n].item() == pytest.approx(sum(sides) / 2, rel=1e-3)


def test_the_teachers_decay_rises() -> None:
    method = Wdass(adapted_segmenter(), WdassSettings(most_decay=0.7))
    decays = []
    for _ in range(4):
        method.after_step()
        decays.append(method.ema.decay)
    assert decays == pytest.approx([1 / 2, 2 / 3, 0.7, 0.7])
    assert int(method.own_state()["steps"]) == 4


def test_it_learns_with_boxes_and_with_clicks() -> None:
    batch = make_batch()
    totals = learn(Wdass(adapted_segmenter(), WdassSettings()), batch)
    assert totals[-1] < totals[0]
    clicks = Prompts(points=torch.full((4, 1, 2), 20.0), point_labels=torch.ones(4, 1, dtype=torch.long))
    assert torch.isfinite(Wdass(adapted_segmenter(), WdassSettings())(replace(batch, prompts=clicks))["total"])
