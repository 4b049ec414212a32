"""A run with another kind of update than LoRA: its source, its candidates, its end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.image_set import ImageSet
from tests.tiny import tiny_segmenter
from tests.training.setting import MeanLogit, SmallRun
from tests.updates.kinds import KINDS, predicted
from wesam.batches.batch import Batch
from wesam.methods.base import Losses
from wesam.updates.load import attach_adapter

SETTINGS = {"health": {"every": 2}, "steps": 4, "checkpoint_every": 2}


class _Killed(MeanLogit):
    """Ends in the middle of a run, as a kill does."""

    def losses(self, batch: Batch) -> Losses:
        if self.progress >= 0.75:
            raise KeyboardInterrupt
        return super().losses(batch)


@pytest.mark.parametrize("kind", ["mix", pytest.param("encoder", marks=pytest.mark.full)])
def test_not_to_adapt_hands_over_the_source_bit_for_bit(image_set: ImageSet, tmp_path: Path, kind: str) -> None:
    rule = {"rule": "best-healthy", "least_anchor_agreement": 1.0}
    run = SmallRun(image_set, tmp_path, {**SETTINGS, "update": KINDS[kind], "selection": rule})
    assert run.train().selection.chosen == 0
    loaded = tiny_segmenter()
    attach_adapter(loaded, run.folder.adapter)
    for got, source in zip(predicted(loaded), predicted(tiny_segmenter()), strict=True):
        assert torch.equal(got, source)


@pytest.mark.parametrize("kind", ["mix", pytest.param("encoder", marks=pytest.mark.full)])
def test_a_killed_run_goes_on_with_the_same_bits(image_set: ImageSet, tmp_path: Path, kind: str) -> None:
    settings: dict[str, Any] = {**SETTINGS, "update": KINDS[kind]}
    SmallRun(image_set, tmp_path / "whole", settings).train()
    with pytest.raises(KeyboardInterrupt):
        SmallRun(image_set, tmp_path / "killed", settings, learned=_Killed).train()
    assert SmallRun(image_set, tmp_path / "killed", settings).train().resumed_from == 2
    whole, killed = (load_file(tmp_path / name / "adapter" / "update.safetensors") for name in ("whole", "killed"))
    assert whole.keys() == killed.keys()
    assert all(torch.equal(tensor, killed[name]) for name, tensor in whole.items())
