from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from studies.growth import Growth, measure, table
from tests.conftest import ImageSet
from tests.tiny import tiny_segmenter
from wesam.batches.dataset import ViewSettings
from wesam.labels.check import load_samples
from wesam.models.features import Features
from wesam.models.segmenter import Segmenter
from wesam.types import MaskPrediction, Prompts


def test_masks_that_follow_the_predicted_iou_grow_with_it(image_set: ImageSet, monkeypatch: pytest.MonkeyPatch) -> None:
    samples, _ = load_samples(image_set.images, image_set.boxes)
    segmenter = tiny_segmenter().requires_grad_(False)

    def decode(self: Segmenter, features: Features, prompts: Prompts, image_index: Tensor) -> MaskPrediction:
        level = features.pooled.mean((1, 2, 3))[image_index]
        # Half of the grid is mask at first, and a column more where the features say more.
        ramp = torch.linspace(-1, 1, self.mask_grid).expand(len(prompts), self.mask_grid, self.mask_grid)
        return MaskPrediction(logits=ramp + 20 * level[:, None, None], iou=level)

    monkeypatch.setattr(Segmenter, "decode", decode)
    monkeypatch.setattr(Segmenter, "encode", lambda self, pixels: Features(torch.zeros(1, 2, 4, 4) + _CHECKER))
    views = list(measure(segmenter, list(samples), ViewSettings()))
    assert len(views) == sum(bool(sample.instances) for sample in samples)
    for view in views:
        assert view.rise > 0
        assert view.confident > 0
        assert view.strong == 0


_CHECKER = torch.tensor([1.0, -1.0]).repeat(16).view(1, 2, 4, 4)


def test_the_network_itself_can_be_measured(image_set: ImageSet) -> None:
    samples, _ = load_samples(image_set.images, image_set.boxes)
    segmenter = tiny_segmenter().requires_grad_(False)
    first, again = (list(measure(segmenter, list(samples)[:2], ViewSettings())) for _ in range(2))
    assert first == again
    assert all(view.rise > 0 for view in first)


def test_table_gives_mean_and_standard_error() -> None:
    found = {"cells": [Growth(0.1, 0.0, -0.2, 0.3), Growth(0.3, 0.0, -0.2, 0.3)]}
    assert table(found).splitlines() == [
        "| domain | strong view | noise of 0.4 | higher predicted IoU | its rise | views |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        "| cells | +0.200 ± 0.100 | +0.000 ± 0.000 | -0.200 ± 0.000 | +0.300 ± 0.000 | 2 |",
    ]
    assert "| +0.100 |" in table({"cells": found["cells"][:1]})


def test_a_mistake_on_the_command_line_is_one_message(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "studies.growth", "--model", "wesam-tiny", "--domain", f"a: {tmp_path}"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert found.stderr == f"error: {tmp_path}/images: expected a part of the pack, found nothing\n"
