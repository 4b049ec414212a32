"""A small run that a test can disturb."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from tests.conftest import ImageSet
from tests.tiny import tiny_segmenter
from wesam.batches.batch import Batch
from wesam.labels.check import load_samples
from wesam.methods.base import Losses, Method, MethodSettings
from wesam.models.segmenter import Segmenter
from wesam.training.accelerator import make_accelerator
from wesam.training.config import make_config
from wesam.training.loop import TrainResult, train
from wesam.training.run_folder import RunFolder
from wesam.updates.update import add_update

FAST = {"device": "cpu", "previews": 0, "warmup_steps": 2, "learning_rate": 1e-2, "trackers": []}

# Of a method of a test, which has nothing to set.
NOTHING = MethodSettings(name="test")


class MeanFeature(Method):
    """Lowers the mean of the features; no prompt is looked at."""

    def losses(self, batch: Batch) -> Losses:
        return {"total": self.segmenter.encode(batch.weak).pooled.mean((1, 2, 3)).mean()}


class MeanLogit(Method):
    """Lowers the mean logit, each image weighing the same."""

    def losses(self, batch: Batch) -> Losses:
        answer = self.segmenter.decode(self.segmenter.encode(batch.weak), batch.prompts, batch.image_index)
        of_image = [answer.logits[batch.image_index == image].mean() for image in range(len(batch))]
        return {"total": torch.stack(of_image).mean()}


@dataclass
class SmallRun:
    """`train` on a tiny network, without the command around it."""

    image_set: ImageSet
    out: Path
    settings: dict[str, Any] = field(default_factory=dict)
    learned: type[Method] = MeanLogit
    messages: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        values = {"model": "tiny", "images": self.image_set.images, "labels": self.image_set.boxes, "out": self.out}
        # The last step, so that a test sees what training did; what chooses otherwise has tests of its own.
        given = {"steps": 6, "selection": {"rule": "last"}, **FAST, **self.settings}
        self.config = make_config({**values, **given})
        self.folder = RunFolder(self.config.out)
        self.segmenter: Segmenter = tiny_segmenter()
        add_update(self.segmenter, self.config.update, seed=0)
        self.method = self.learned(self.segmenter, NOTHING)

    def train(self) -> TrainResult:
        samples, _ = load_samples(self.config.images, self.config.labels)
        accelerator = make_accelerator(self.config, self.folder)
        return train(self.config, accelerator, self.method, samples, self.folder, on_message=self.messages.append)

    @property
    def weights(self) -> dict[str, torch.Tensor]:
        return load_file(self.folder.adapter / "adapter_model.safetensors")

    @property
    def events(self) -> list[dict[str, Any]]:
        return [row for row in self.folder.read_metrics() if "event" in row]
