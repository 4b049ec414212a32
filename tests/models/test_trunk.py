"""Remembered blocks: the same features and gradients as without, and one pass an image."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.tiny import tiny_segmenter
from wesam.models.segmenter import Segmenter
from wesam.models.trunk import Trunk, frozen_blocks
from wesam.updates.lora import LoraSettings
from wesam.updates.norms import NormsSettings
from wesam.updates.update import add_update, update_of

REMEMBERING = ("sam", "sam_hq", "sam2", "edgetam")


def adapted(family: str, last: float = 0.5) -> Segmenter:
    segmenter = tiny_segmenter(family=family)
    add_update(segmenter, LoraSettings(last=last), seed=0)
    with torch.no_grad():
        for number, weight in enumerate(update_of(segmenter).parameters()):
            weight.add_(0.1 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(number)))
    return segmenter


def pixels(segmenter: Segmenter, seed: int = 1) -> Tensor:
    side = segmenter.input_size
    return torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("family", REMEMBERING)
def test_features_and_gradients_are_those_of_the_whole_encoder(family: str) -> None:
    segmenter = adapted(family)
    learned = update_of(segmenter).parameters()
    images, results = pixels(segmenter), []
    assert frozen_blocks(segmenter) > 0
    for trunk in (None, Trunk(segmenter, 2**20, torch.float32)):
        segmenter.trunk = trunk
        for _ in range(1 if trunk is None else 2):  # computed, and remembered
            features = segmenter.encode(images)
            loss = sum((part * part.detach().cos()).sum() for part in (features.pooled, *features.extra))
            results.append([features.pooled, *features.extra, *torch.autograd.grad(loss, learned)])
        with segmenter.anchor():
            source = segmenter.encode(images)
            results[-1] += [source.pooled, *source.extra]
    whole, computed, remembered = results
    for one, other in zip(whole, remembered, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3 * float(one.detach().abs().max().clamp_min(1e-3)))
    for one, other in zip(computed, remembered[: len(computed)], strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("family", REMEMBERING)
def test_frozen_blocks_run_once_an_image(family: str) -> None:
    segmenter = adapted(family)
    trunk = segmenter.trunk = Trunk(segmenter, 2**20)
    first = next(m for n, m in segmenter.network.named_modules() if n.startswith(segmenter.family.stem) and n)
    calls: list[int] = []
    first.register_forward_pre_hook(lambda *_: calls.append(1))
    images = pixels(segmenter)
    for _ in range(3):
        segmenter.encode(images)
    fills, replays = 2, 3
    assert len(calls) == fills + replays  # a replay asks the stem, which answers with zeros
    assert len(trunk) == 2
    segmenter.encode(images[[1, 0]])
    assert len(trunk) == 2


def test_answers_have_the_same_bits_in_whatever_batch() -> None:
    segmenter = adapted("sam")
    images = pixels(segmenter)
    with torch.no_grad():
        segmenter.trunk = Trunk(segmenter, 2**20)
        together = segmenter.encode(images)
        segmenter.trunk = Trunk(segmenter, 0)  # nothing is kept
        again = segmenter.encode(images)
    assert torch.equal(together.pooled, again.pooled)
    assert len(segmenter.trunk) == segmenter.trunk.used_bytes == 0


def test_memory_is_bounded_and_first_images_stay() -> None:
    segmenter = adapted("sam")
    probe = Trunk(segmenter, 2**20)
    segmenter.trunk = probe
    segmenter.encode(pixels(segmenter))
    segmenter.trunk = Trunk(segmenter, probe.used_bytes)
    for seed in (1, 2, 3):
        segmenter.encode(pixels(segmenter, seed))
    assert len(segmenter.trunk) == 2
    assert segmenter.trunk.used_bytes == probe.used_bytes


def test_what_half_precision_cannot_hold_is_kept_whole() -> None:
    segmenter = adapted("sam")
    with torch.no_grad():
        segmenter.network.vision_encoder.pos_embed[0, 0, 0, 0] = 1e6
        expected = segmenter.encode(pixels(segmenter))
        segmenter.trunk = Trunk(segmenter, 2**20)
        got = segmenter.encode(pixels(segmenter))
    torch.testing.assert_close(got.pooled, expected.pooled, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("family", ["sam", "edgetam", "sam3_tracker"])
def test_nothing_is_frozen_where_the_first_block_learns(family: str) -> None:
    segmenter = adapted(family, last=1.0)
    assert frozen_blocks(segmenter) == 0
    with pytest.raises(ValueError, match="first blocks"):
        Trunk(segmenter, 2**20)


def test_norms_of_all_blocks_freeze_nothing() -> None:
    segmenter = tiny_segmenter()
    add_update(segmenter, NormsSettings(), seed=0)
    assert frozen_blocks(segmenter) == 0
