from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from tests.methods.learning import learn
from tests.methods.scenes import adapted_segmenter, make_batch
from wesam.frames.input_format import InputFormat
from wesam.methods.branches import Branches
from wesam.methods.sam_tta import Answered, SamTta, SamTtaSettings, Taught, feature_divergence, toned, two_scales
from wesam.models.features import Features
from wesam.types import MaskPrediction

SEEN = InputFormat(8, 4, (0.5, 0.4, 0.3), (0.2, 0.2, 0.3))


def de_casteljau(points: list[float], t: float) -> float:
    while len(points) > 1:
        points = [(1 - t) * a + t * b for a, b in pairwise(points)]
    return points[0]


def test_the_curve_by_repeated_interpolation_and_not_on_padding() -> None:
    generator = torch.Generator().manual_seed(0)
    tones = torch.rand(1, 3, 8, 8, generator=generator)
    mean, std = (torch.tensor(values)[None, :, None, None] for values in (SEEN.mean, SEEN.std))
    pixels, valid = (tones - mean) / std, torch.ones(1, 4, 4)
    valid[:, 3:] = 0
    curve = 0.004 * torch.randn(3, 4, generator=generator)
    found = toned(pixels, curve, valid, SEEN)
    for channel in range(3):
        points = [min(1.0, max(0.0, i / 3 + 50 * curve[channel, i].item())) for i in range(4)]
        expected = de_casteljau(points, tones[0, channel, 2, 5].item())
        assert (found * std + mean)[0, channel, 2, 5].item() == pytest.approx(expected, abs=1e-5)
    assert torch.equal(found[:, :, 6:], pixels[:, :, 6:])
    torch.testing.assert_close(toned(pixels, torch.zeros(3, 4), valid, SEEN), pixels)


def test_both_scales_by_loops() -> None:
    generator = torch.Generator().manual_seed(0)
    student, teacher = (3 * torch.randn(2, 8, 8, generator=generator) for _ in range(2))
    found = two_scales(student, teacher, torch.ones(2, 8, 8))

    def dice(own: list[float], taught: list[float]) -> float:
        p = [1 / (1 + math.exp(-value)) for value in own]
        mask = [float(value > 0) for value in taught]
        return 1 - (2 * sum(a * b for a, b in zip(p, mask, strict=True)) + 1) / (sum(p) + sum(mask) + 1)

    def coarse(maps: torch.Tensor) -> list[float]:
        return [maps[4 * y : 4 * y + 4, 4 * x : 4 * x + 4].mean().item() for y in range(2) for x in range(2)]

    for n in range(2):
        own, taught = student[n], teacher[n]
        whole = dice(own.flatten().tolist(), taught.flatten().tolist()) + dice(coarse(own), coarse(taught))
        assert found[n].item() == pytest.approx(whole, rel=1e-4)


def test_divergence_of_feature_maps_by_a_loop() -> None:
    generator = torch.Generator().manual_seed(0)
    teacher, student = (torch.randn(1, 3, 2, 2, generator=generator) for _ in range(2))
    batch = replace(make_batch((2,)), image_index=torch.tensor([0, 0]))
    answered = Answered(Features(student), MaskPrediction(torch.zeros(2, 2, 2), torch.tensor([0.6, 1.2])))
    branches = Branches(adapted_segmenter(), batch)
    found = feature_divergence(answered, Taught(Features(teacher), torch.zeros(2, 2, 2)), branches, batch)
    total = 0.0
    for channel in range(3):
        shares = []
        for maps in (teacher, student):
            powers = [math.exp(value / 0.8) for value in maps[0, channel].flatten().tolist()]  # mean of 0.6 and 1
            shares.append([power / sum(powers) for power in powers])
        total += sum(p * math.log(p / q) for p, q in zip(*shares, strict=True)) / 3
    assert found.tolist() == pytest.approx([total], rel=1e-4)


def test_the_surer_object_weighs_more() -> None:
    method, batch = SamTta(adapted_segmenter(), SamTtaSettings()), make_batch((2,))
    logits = torch.randn(1, 16, 16).repeat(2, 1, 1)
    answered = Answered(Features(torch.zeros(1, 3, 2, 2)), MaskPrediction(logits, torch.tensor([0.9, 0.5])))
    branches = Branches(method.segmenter, batch)
    found = method.consistency(answered, Taught(answered.features, -logits), branches, batch)
    assert (found[1] / found[0]).item() == pytest.approx(math.log(0.5) / math.log(0.1), rel=1e-4)
    assert method.largest.item() == pytest.approx(-math.log(0.1), rel=1e-4)


def test_it_learns_its_curve_too_and_the_teacher_follows() -> None:
    method = SamTta(adapted_segmenter(), SamTtaSettings(ema_decay=0.5))
    assert method.curve is not None
    before = {name: tensor.clone() for name, tensor in method.ema.weights().items()}
    with torch.no_grad():
        method.curve += 0.004 * torch.tensor([0.0, 1.0, -1.0, 0.0])  # away from the image that the teacher sees
    start = method.curve.detach().clone()
    totals = learn(method, steps=1, rate=1e-4)
    for name, tensor in method.ema.weights().items():
        torch.testing.assert_close(tensor, 0.5 * before[name] + 0.5 * method.result()[name])
    assert totals[-1] < totals[0]
    assert not torch.equal(method.curve, start)
    assert SamTta(adapted_segmenter(), SamTtaSettings(tone_curve=False)).own_parameters() == []
