from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from tests.methods.learning import learn
from tests.methods.scenes import adapted_segmenter, make_batch
from wesam.methods.branches import Branches, Taught
from wesam.methods.wesam import Wesam, WesamSettings
from wesam.methods.wesam_journal import (
    WesamJournal,
    WesamJournalSettings,
    hidden_distance,
    object_distance,
    patch_contrast,
)


def test_the_same_patch_in_both_views_is_the_positive_by_a_loop() -> None:
    method, batch = WesamJournal(adapted_segmenter(drift=0.3), WesamJournalSettings()), make_batch((1, 1))
    branches = Branches(method.segmenter, batch)
    student, teacher = branches.features_strong.pooled.detach(), branches.features_weak.pooled.detach()
    grid = student.shape[2]
    cell = batch.valid.shape[2] // grid
    found = patch_contrast(branches, batch, 0.3)
    for image in range(2):
        places = [
            (y, x)
            for y in range(grid)
            for x in range(grid)
            if batch.valid[image, y * cell : (y + 1) * cell, x * cell : (x + 1) * cell].any()
        ]
        losses = []
        for y, x in places:
            near = [
                F.cosine_similarity(student[image, :, y, x], teacher[image, :, v, u], dim=0).item() for v, u in places
            ]
            powers = [math.exp(value / 0.3) for value in near]
            losses.append(-math.log(powers[places.index((y, x))] / sum(powers)))
        assert found[image].item() == pytest.approx(sum(losses) / len(losses), rel=1e-3)


def test_hidden_patches_alone_count() -> None:
    method, batch = WesamJournal(adapted_segmenter(), WesamJournalSettings()), make_batch((1,))
    branches = Branches(method.segmenter, batch)
    seen = branches.features_weak.pooled.detach().clone()
    hidden = torch.zeros(1, *seen.shape[2:])
    hidden[0, 1, 1] = 1
    seen[0, :, 0, 0] *= -1  # wrong where nothing was hidden
    assert hidden_distance(branches, batch, seen, hidden).item() == pytest.approx(0, abs=1e-5)
    seen[0, :, 1, 1] *= -1
    assert hidden_distance(branches, batch, seen, hidden).item() == pytest.approx(2, abs=1e-5)


def test_what_is_hidden_is_seen_by_nobody() -> None:
    method, batch = WesamJournal(adapted_segmenter(), WesamJournalSettings(hidden=0.5)), make_batch((1, 1))
    branches = Branches(method.segmenter, batch)
    seen, hidden = method.half_seen(branches, batch)
    over = F.interpolate(hidden[:, None], batch.strong.shape[2:], mode="nearest")
    other = batch.strong + over * torch.randn(batch.strong.shape)
    changed = type(batch)(**{**vars(batch), "strong": other})
    again, _ = method.half_seen(branches, changed)
    torch.testing.assert_close(seen, again)
    assert 0 < hidden.mean() < 1


def test_an_objects_own_features_are_at_no_distance() -> None:
    method, batch = WesamJournal(adapted_segmenter(), WesamJournalSettings()), make_batch()
    branches = Branches(
        method.segmenter,
        batch,
        teacher=lambda branches: Taught(branches.student_weak.logits.detach()),
        ignore_padding=False,
    )
    distance = object_distance(branches, batch, branches.features_weak.pooled.detach())
    torch.testing.assert_close(distance, torch.zeros(4), atol=1e-5, rtol=0)


def test_without_its_own_terms_it_is_the_paper_without_contrast() -> None:
    segmenter, batch = adapted_segmenter(), make_batch()
    bare = WesamJournal(segmenter, WesamJournalSettings(patch_weight=0, masked_weight=0, alignment_weight=0))
    paper = WesamSettings(
        as_published=True, teacher="shared", student_prompt_weight=0, box_projection_weight=0, contrastive_weight=0
    )
    torch.testing.assert_close(bare(batch)["total"], Wesam(segmenter, paper)(batch)["total"])


def test_it_learns() -> None:
    totals = learn(WesamJournal(adapted_segmenter(), WesamJournalSettings()), steps=6)
    assert min(totals[1:]) < totals[0]
