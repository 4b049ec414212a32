from __future__ import annotations

import math

import pytest
import torch

from tests.methods.learning import learn
from tests.methods.scenes import adapted_segmenter, make_batch
from wesam.methods.soft_teacher import SoftTeacher, SoftTeacherSettings, jittered, soft_loss
from wesam.types import MaskPrediction


def method(**settings: float) -> SoftTeacher:
    return SoftTeacher(adapted_segmenter(), SoftTeacherSettings(**{"jitters": 2, **settings}))


def test_background_weighs_what_the_teacher_believes() -> None:
    generator = torch.Generator().manual_seed(0)
    student, teacher = (3 * torch.randn(2, 3, 3, generator=generator) for _ in range(2))
    found = soft_loss(student, teacher, None)
    for n in range(2):
        total = weights = 0.0
        for s, t in zip(student[n].flatten().tolist(), teacher[n].flatten().tolist(), strict=True):
            p = 1 / (1 + math.exp(-s))
            weight = 1.0 if t > 0 else 1 - 1 / (1 + math.exp(-t))
            total += weight * -math.log(p if t > 0 else 1 - p)
            weights += weight
        assert found[n].item() == pytest.approx(total / weights, rel=1e-5)


def test_jitter_stays_within_its_share_of_the_side() -> None:
    boxes = torch.tensor([[10.0, 20.0, 30.0, 60.0]])
    moved = (jittered(boxes, 200, 0.06, make_batch((1,))) - boxes).abs().amax((0, 1))
    assert (moved <= torch.tensor([1.2, 2.4, 1.2, 2.4])).all()
    assert (moved > torch.tensor([1.0, 2.0, 1.0, 2.0])).all()


def test_the_better_of_those_seen_lately_are_kept() -> None:
    teacher = method(kept=0.5)
    logits = torch.zeros(4, 2, 2)
    kept = teacher._kept(MaskPrediction(logits, torch.tensor([0.9, 0.8, 0.2, 0.9])), torch.tensor([0.9, 0.8, 0.9, 0.1]))
    assert kept.tolist() == [True, False, False, False]
    again = teacher._kept(MaskPrediction(logits[:1], torch.tensor([0.1])), torch.tensor([0.1]))
    assert again.tolist() == [False]  # alone in its batch, but worse than what was seen


def test_the_teacher_follows_and_the_student_learns() -> None:
    teacher = method(ema_decay=0.9, kept=1.0)
    before = {name: tensor.clone() for name, tensor in teacher.ema.weights().items()}
    totals = learn(teacher, steps=1)
    student = teacher.result()
    for name, tensor in teacher.ema.weights().items():
        torch.testing.assert_close(tensor, 0.9 * before[name] + 0.1 * student[name])
    assert totals[-1] < totals[0]


def test_an_object_that_is_not_reliable_teaches_nothing() -> None:
    teacher = method(kept=0.01)
    learn(teacher, steps=1)
    teacher.seen.fill_(2.0)  # better than any score
    loss = teacher(make_batch())["total"]
    assert loss.item() == 0
    loss.backward()
