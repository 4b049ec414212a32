from __future__ import annotations

import math

import pytest
import torch

from tests.methods.learning import learn
from tests.methods.scenes import adapted_segmenter, make_batch
from wesam.methods.branches import Branches
from wesam.methods.tribe import Tribe, TribeSettings


def test_both_losses_against_loops_over_confident_cells() -> None:
    tribe, batch = Tribe(adapted_segmenter(drift=0.3), TribeSettings(confident=0.99)), make_batch((2, 1))
    branches = Branches(tribe.segmenter, batch)
    weak, strong = branches.student_weak.logits.detach(), branches.student_strong.logits.detach()
    with tribe.segmenter.anchor(), torch.no_grad():
        source = tribe.segmenter.decode(tribe.segmenter.encode(batch.weak), batch.prompts, batch.image_index).logits
    for n in range(3):
        learned, held = [], []
        valid = batch.valid[batch.image_index[n]].flatten().tolist()
        cells = zip(*(part[n].flatten().tolist() for part in (weak, strong, source)), valid, strict=True)
        for w, s, a, counts in cells:
            p = 1 / (1 + math.exp(-w))
            entropy = -p * math.log(p) - (1 - p) * math.log(1 - p)
            if counts and entropy < 0.99 * math.log(2):
                q = 1 / (1 + math.exp(-s))
                learned.append(-math.log(q if w > 0 else 1 - q))
                held.append((w - a) ** 2)
        mean = [sum(part) / max(1, len(part)) for part in (learned, held)]
        assert tribe.self_training(branches, batch)[n].item() == pytest.approx(mean[0], abs=1e-5)
        assert tribe.anchor(branches, batch)[n].item() == pytest.approx(mean[1], rel=1e-4, abs=1e-6)


def test_fewer_cells_are_confident_below_a_lower_bound() -> None:
    batch = make_batch()
    counts = []
    for bound in (0.9, 0.99, 1.0):
        tribe = Tribe(adapted_segmenter(drift=0.3), TribeSettings(confident=bound))
        counts.append(int(tribe.confident(Branches(tribe.segmenter, batch), batch).sum()))
    assert counts == sorted(counts)
    assert counts[-1] > 0


def test_it_learns_and_the_anchor_holds_it() -> None:
    batch = make_batch()
    distance = []
    for weight in (0.0, 50.0):
        tribe = Tribe(adapted_segmenter(drift=0.0), TribeSettings(confident=1.0, anchor_weight=weight))
        learn(tribe, batch)
        branches = Branches(tribe.segmenter, batch)
        distance.append(tribe.anchor(branches, batch).mean().item())
    assert distance[1] < distance[0]
