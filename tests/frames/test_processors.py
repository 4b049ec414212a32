"""Stretched inputs are those of transformers' SAM 2 and SAM 3 (values of `processors/make.py`)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tests.frames.processors.make import GRID, SHAPES, SIZE, STEP, image, logits
from wesam.frames.geometry import Geometry
from wesam.frames.input_format import InputFormat
from wesam.frames.pixels import to_input
from wesam.models.families.shared import IMAGENET_MEAN, IMAGENET_STD

VALUES = json.loads((Path(__file__).parent / "processors" / "values.json").read_text())
FORMATS = {
    "sam2": InputFormat(SIZE, GRID, IMAGENET_MEAN, IMAGENET_STD, "stretch"),
    "sam3": InputFormat(SIZE, GRID, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "stretch"),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", FORMATS)
def test_pixels_and_masks(name: str, shape: tuple[int, int]) -> None:
    form, (height, width) = FORMATS[name], shape
    geometry = Geometry((0, 0, width, height), form)
    expected = VALUES[f"{name} {height}x{width}"]
    pixels = to_input(geometry.image(image(height, width)), form)
    # Pillow and torchvision round a resized grey level each in their own way.
    level = 1.01 / 255 / min(form.std)
    torch.testing.assert_close(pixels[:, ::STEP, ::STEP], torch.tensor(expected["pixels"]), rtol=0, atol=level)
    restored = geometry.restore_logits(torch.from_numpy(logits()).float()[None])[0, ::STEP, ::STEP]
    torch.testing.assert_close(restored, torch.tensor(expected["logits"]), rtol=0, atol=1e-4)
