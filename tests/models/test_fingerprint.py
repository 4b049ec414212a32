from __future__ import annotations

import torch
from peft.tuners.lora import LoraLayer

from tests.tiny import tiny_segmenter
from wesam.models.fingerprint import fingerprint
from wesam.updates.lora import LoraSettings
from wesam.updates.update import add_update, update_of


def test_an_adapter_makes_another_network_and_the_same_weights_make_the_same() -> None:
    plain, adapted = tiny_segmenter(), tiny_segmenter()
    assert fingerprint(plain) == fingerprint(tiny_segmenter())
    assert fingerprint(plain) != fingerprint(tiny_segmenter(seed=1))
    add_update(adapted, LoraSettings(), seed=0)
    before = fingerprint(adapted)
    assert before != fingerprint(plain)
    with torch.no_grad():
        update_of(adapted).parameters()[0].add_(0.1)
    assert fingerprint(adapted) != before


def test_so_does_an_adapter_of_the_same_weights_that_is_off_or_weighs_more() -> None:
    segmenter = tiny_segmenter()
    add_update(segmenter, LoraSettings(), seed=0)
    before = fingerprint(segmenter)
    with segmenter.anchor():
        assert fingerprint(segmenter) != before
    assert fingerprint(segmenter) == before
    for module in segmenter.modules():
        if isinstance(module, LoraLayer):
            module.scaling = {name: 4 * scale for name, scale in module.scaling.items()}
    assert fingerprint(segmenter) != before
