from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tests.methods.learning import learn
from tests.methods.scenes import adapted_segmenter, make_batch
from wesam.methods.branches import Branches
from wesam.methods.dept import Dept, DeptSettings, feature_distance, neighbour_share


def test_the_share_of_objects_among_the_nearest_by_a_loop() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(2, 5, 3, 3, generator=generator)
    objects, rest = (F.normalize(torch.randn(6, 5, generator=generator), dim=1) for _ in range(2))
    objects[4:], rest[4:] = torch.nan, torch.nan
    found = neighbour_share(features, objects, rest, 3)
    bank = [(vector, 1.0) for vector in objects[:4]] + [(vector, 0.0) for vector in rest[:4]]
    for image in range(2):
        for y in range(3):
            for x in range(3):
                cell = features[image, :, y, x]
                near = sorted(bank, key=lambda entry: -F.cosine_similarity(cell, entry[0], dim=0).item())
                assert found[image, y, x].item() == pytest.approx(sum(label for _, label in near[:3]) / 3)


def test_the_bank_is_renewed_from_its_head() -> None:
    dept = Dept(adapted_segmenter(), DeptSettings())
    taught = dept.teach(make_batch((3, 1)))
    torch.testing.assert_close(dept.objects[:4], taught.means)
    assert dept.objects[4:].isnan().all()
    second = dept.teach(make_batch((1,), seed=1))
    torch.testing.assert_close(dept.objects[:1], second.means)
    torch.testing.assert_close(dept.objects[1:5], taught.means)


def test_targets_are_refined_near_the_object_alone() -> None:
    dept, batch = Dept(adapted_segmenter(), DeptSettings()), make_batch((1,))
    taught = dept.teach(batch)
    with dept.ema.teaching(dept.segmenter):
        p = dept.segmenter.decode(dept.segmenter.encode(batch.weak), batch.prompts, batch.image_index).logits.sigmoid()
    far = taught.region == 0
    torch.testing.assert_close(taught.target[far], p[far])
    assert ((taught.target - p / 2)[~far] >= -1e-6).all()
    assert not torch.allclose(taught.target[~far], p[~far])


def test_the_teachers_own_features_are_at_no_distance() -> None:
    dept, batch = Dept(adapted_segmenter(), DeptSettings()), make_batch()
    taught = dept.teach(batch)
    same = Branches(dept.segmenter, batch)
    same.features_strong = dept.segmenter.encode(batch.weak)
    torch.testing.assert_close(feature_distance(same, batch, taught), torch.zeros(4), atol=1e-5, rtol=0)


def test_it_learns_and_its_teacher_follows() -> None:
    dept = Dept(adapted_segmenter(), DeptSettings(ema_decay=0.5))
    before = {name: tensor.clone() for name, tensor in dept.ema.weights().items()}
    totals = learn(dept, steps=1)
    for name, tensor in dept.ema.weights().items():
        torch.testing.assert_close(tensor, 0.5 * before[name] + 0.5 * dept.result()[name])
    assert totals[-1] < totals[0]
    assert Dept.update == {"kind": "prompt-tokens"}
