from __future__ import annotations

import math

import pytest
import torch

from tests.methods.learning import learn
from tests.methods.scenes import adapted_segmenter, make_batch
from wesam.methods.tent import Tent, TentSettings


def test_the_loss_is_the_entropy_of_each_object_by_a_loop() -> None:
    segmenter, batch = adapted_segmenter(), make_batch((2, 1))
    logits = segmenter.decode(segmenter.encode(batch.weak), batch.prompts, batch.image_index).logits
    means = []
    for number, mask in enumerate(logits.tolist()):
        valid = batch.valid[batch.image_index[number]].tolist()
        own = []
        for row, rules in zip(mask, valid, strict=True):
            for y, counts in zip(row, rules, strict=True):
                p = 1 / (1 + math.exp(-y))
                if counts:
                    own.append(-p * math.log(p) - (1 - p) * math.log(1 - p))
        means.append(sum(own) / len(own))
    expected = ((means[0] + means[1]) / 2 + means[2]) / 2
    assert Tent(segmenter, TentSettings())(batch)["total"].item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("over", ["cell", "mask"])
def test_entropy_falls(over: str) -> None:
    totals = learn(Tent(adapted_segmenter(), TentSettings(over=over)))
    assert totals[-1] < totals[0]


def test_it_asks_for_normalisation_layers_alone() -> None:
    assert Tent.update["kind"] == "norms"
    assert torch.is_tensor(Tent(adapted_segmenter(), TentSettings())(make_batch())["entropy"])
