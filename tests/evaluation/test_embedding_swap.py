import pytest
import torch

from wesam.errors import WesamError
from wesam.evaluation.embedding_swap import embedding_swap
from wesam.types import MaskPrediction


def test_a_model_that_looks_loses_without_its_features(brightness, disc_samples):
    found = embedding_swap(brightness, disc_samples)
    assert found.own > 0.85
    assert found.zeros == 0
    assert found.other < 0.4
    assert found.worth == pytest.approx(found.own - found.other)


def test_a_model_that_only_draws_into_boxes_is_unmasked(brightness, disc_samples, monkeypatch):
    looked = type(brightness).decode

    def blind(self, features, prompts, image_index):
        answer = looked(self, features.map(torch.ones_like), prompts, image_index)
        return MaskPrediction(answer.logits, answer.iou)

    monkeypatch.setattr(type(brightness), "decode", blind)
    found = embedding_swap(brightness, disc_samples)
    assert found.own == found.other == found.zeros > 0.5
    assert found.worth == 0


def test_one_image_has_no_other(brightness, disc_samples):
    with pytest.raises(WesamError, match="at least 2 images with objects, got 1"):
        embedding_swap(brightness, [disc_samples[0], disc_samples[1].with_instances([])])
