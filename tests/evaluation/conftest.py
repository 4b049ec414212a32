"""A few images with discs on them, and a network that can be told what to answer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from wesam.frames.input_format import InputFormat
from wesam.masks import encode_mask
from wesam.models.features import Features
from wesam.models.segmenter import Segmenter
from wesam.types import Instance, MaskPrediction, MultimaskPrediction, Prompts, Sample


class BrightnessSegmenter(Segmenter):
    """Answers a box prompt with what is bright inside it. "Features" are the pixels, shrunk to the grid."""

    name = "brightness"
    input = InputFormat(size=64, grid=64, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    precision = "fp32"

    def __init__(self) -> None:
        nn.Module.__init__(self)  # there is no network of a family
        self.network = nn.Module()
        self.update = None
        self.as_published = False
        self.weight = nn.Parameter(torch.ones(1))
        self.decoded: list[int] = []

    def encode(self, pixels: Tensor) -> Features:
        assert not torch.is_grad_enabled()
        assert not self.training
        return Features(pixels.mean(1, keepdim=True))

    def decode(self, features: Features, prompts: Prompts, image_index: Tensor) -> MaskPrediction:
        self.decoded.append(len(prompts))
        cells = torch.arange(self.mask_grid) + 0.5
        assert prompts.boxes is not None
        x0, y0, x1, y1 = prompts.boxes[:, :, None].unbind(1)
        across = (cells >= x0) & (cells <= x1)
        down = (cells >= y0) & (cells <= y1)
        inside = down[:, :, None] & across[:, None, :]
        logits = torch.where(inside, features.pooled[image_index, 0] * self.weight, -1.0)
        return MaskPrediction(logits, torch.linspace(0.5, 1, len(prompts)))

    def decode_multimask(self, features: Features, prompts: Prompts, image_index: Tensor) -> MultimaskPrediction:
        raise NotImplementedError  # nothing in this room asks for it


def disc(height, width, x, y, radius):
    ys, xs = np.mgrid[:height, :width]
    return (xs + 0.5 - x) ** 2 + (ys + 0.5 - y) ** 2 <= radius**2


def disc_sample(folder, name, size, discs) -> Sample:
    """A dark image (width, height) with bright discs (x, y, radius), each an instance with box and mask."""
    width, height = size
    image = np.full((height, width, 3), 40, np.uint8)
    instances = []
    for number, (x, y, radius) in enumerate(discs):
        mask = disc(height, width, x, y, radius)
        image[mask] = 230
        ys, xs = np.nonzero(mask)
        box = (float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1))
        instances.append(Instance(f"{name}-{number}", box=box, rle=encode_mask(mask), category="disc"))
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return Sample(name, path, width, height, tuple(instances))


@pytest.fixture
def disc_samples(tmp_path) -> list[Sample]:
    folder = tmp_path / "images"
    return [
        disc_sample(folder, "0.png", (96, 64), [(24, 20, 12), (60, 40, 16)]),
        disc_sample(folder, "1.png", (64, 64), [(20, 40, 15)]),
        disc_sample(folder, "sub/1.png", (50, 80), [(25, 20, 14), (25, 60, 10), (40, 40, 8)]),
    ]


@pytest.fixture
def brightness() -> BrightnessSegmenter:
    return BrightnessSegmenter()
