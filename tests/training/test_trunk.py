"""A run whose frozen blocks are remembered learns what it learns without."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.image_set import ImageSet
from tests.tiny import tiny_segmenter
from tests.training.setting import SmallRun
from wesam.models.segmenter import Segmenter
from wesam.models.trunk import Trunk
from wesam.training import loop
from wesam.training.trunk import remembered_trunk
from wesam.updates.lora import LoraSettings
from wesam.updates.update import add_update

LAST: dict[str, Any] = {"update": {"kind": "lora", "last": 0.5}, "views": {"fixed": 2}, "steps": 8}


def stem_passes(run: SmallRun) -> int:
    """How many passes of a run's encoder read the pixels of an image."""
    passes: list[int] = []
    blocks = run.segmenter.network.vision_encoder.layers
    blocks[0].attn.register_forward_pre_hook(lambda *_: passes.append(1))
    run.train()
    return len(passes)


def test_a_run_that_remembers_learns_the_same(
    image_set: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, remembered = (
        SmallRun(image_set, tmp_path / name, {**LAST, "health": {"every": 0}}) for name in ("whole", "remembered")
    )
    passes = stem_passes(remembered)
    assert passes <= 2 * len(list(image_set.images.iterdir()))  # once an image and fixed view
    with monkeypatch.context() as patched:
        patched.setattr(loop, "remembered_trunk", lambda *_: nullcontext())
        assert passes < 2 * stem_passes(whole)  # of two images each
    for name, weight in whole.weights.items():
        torch.testing.assert_close(remembered.weights[name], weight, rtol=0.02, atol=2e-3)


@pytest.mark.parametrize(("fixed", "last", "is_remembered"), [(None, 0.5, False), (1, 1.0, False), (1, 0.5, True)])
def test_the_trunk_is_remembered_where_views_come_again_and_blocks_are_frozen(
    fixed: int | None, last: float, is_remembered: bool
) -> None:
    segmenter: Segmenter = tiny_segmenter()
    add_update(segmenter, LoraSettings(last=last), seed=0)
    with remembered_trunk(segmenter, fixed):
        assert isinstance(segmenter.trunk, Trunk) == is_remembered
    assert segmenter.trunk is None
