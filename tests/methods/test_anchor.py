from unittest.mock import patch

import pytest
import torch

from tests.methods.scenes import adapted_segmenter, make_batch, only_image, only_rows
from tests.tiny import tiny_segmenter
from wesam.methods.anchor import AnchorBranch
from wesam.methods.anchor_cache import Anchor
from wesam.methods.entries import Entries
from wesam.updates.update import update_of

MIB = 2**20


def branch(cache_bytes: int = MIB, background: bool = True) -> AnchorBranch:
    return AnchorBranch(Entries(background=background, ignore_padding=True), cache_bytes)


def same(first: Anchor, second: Anchor) -> bool:
    pairs = ((first.masks, second.masks), (first.z, second.z), (first.present, second.present))
    return all(torch.equal(a, b) for a, b in pairs)


def test_is_the_source_model_also_after_an_adapter_was_resumed() -> None:
    batch, source = make_batch(), tiny_segmenter()
    resumed = adapted_segmenter(drift=0)
    update_of(resumed).load(update_of(adapted_segmenter(seed=1, drift=0.5)).state())
    with torch.no_grad():
        drifted = resumed.decode(resumed.encode(batch.weak), batch.prompts, batch.image_index).logits > 0
    anchor = branch()(resumed, batch)
    assert same(anchor, branch()(source, batch))
    assert not torch.equal(anchor.masks, drifted)
    assert not anchor.z.requires_grad


@pytest.mark.parametrize("background", [True, False])
def test_agrees_with_one_pass_over_the_whole_batch(background: bool) -> None:
    batch, source = make_batch((2, 3)), tiny_segmenter()
    anchor = branch(background=background)(source, batch)
    with torch.no_grad():
        features = source.encode(batch.weak)
        masks = source.decode(features, batch.prompts, batch.image_index).logits > 0
        z, present = Entries(background, True).pool(features, masks, batch.image_index, batch.valid)
    assert torch.equal(anchor.masks, masks)
    assert torch.equal(anchor.present, present)
    torch.testing.assert_close(anchor.z, z)


def test_kept_and_computed_again_are_the_same_bits_in_whatever_batch() -> None:
    """What a resumed run, whose cache is empty, meets in the middle of an epoch."""
    batch, segmenter = make_batch((3, 1, 5)), adapted_segmenter()
    fresh = branch(cache_bytes=0)(segmenter, batch)
    partly = branch()
    partly(segmenter, only_image(batch, 2))
    assert same(partly(segmenter, batch), fresh)
    assert same(partly(segmenter, batch), fresh)


def test_asks_the_network_once_for_each_image_and_set_of_instances() -> None:
    batch, segmenter, anchor = make_batch((3, 1)), adapted_segmenter(), branch()
    with patch.object(segmenter, "encode", wraps=segmenter.encode) as encode:
        anchor(segmenter, batch)
        anchor(segmenter, batch)
        anchor(segmenter, only_image(batch, 0))
        assert encode.call_count == 2
        anchor(segmenter, only_rows(batch, [0, 1, 3]))
        assert encode.call_count == 3
        anchor(segmenter, make_batch((3, 1), seed=1))
        assert encode.call_count == 5


def test_leaves_the_adapter_trainable() -> None:
    segmenter = adapted_segmenter()
    before = [parameter.requires_grad for parameter in segmenter.parameters()]
    branch()(segmenter, make_batch())
    assert [parameter.requires_grad for parameter in segmenter.parameters()] == before
