"""A network that answers a click with the bright patch under it, so that what is found can be told beforehand."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from wesam.frames.input_format import InputFormat
from wesam.models.features import Features
from wesam.models.segmenter import Segmenter
from wesam.types import MaskPrediction, MultimaskPrediction, Prompts


class PatchSegmenter(Segmenter):
    """Three answers: the connected bright patch under the click, all that is bright, and nothing.

    A click on the dark gets three empty masks. Predicted IoU is 0.9, 0.5 and 0.1; `asked` counts clicks.
    """

    name = "patch"
    input = InputFormat(size=64, grid=64, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    precision = "fp32"

    def __init__(self) -> None:
        nn.Module.__init__(self)  # there is no network of a family
        self.network = nn.Module()
        self.update = None
        self.as_published = False
        self.weight = nn.Parameter(torch.ones(1))
        self.asked = 0

    def encode(self, pixels: Tensor) -> Features:
        assert not torch.is_grad_enabled()
        return Features(pixels.mean(1, keepdim=True))

    def decode(self, features: Features, prompts: Prompts, image_index: Tensor) -> MaskPrediction:
        raise NotImplementedError  # a grid asks for several masks

    def decode_multimask(self, features: Features, prompts: Prompts, image_index: Tensor) -> MultimaskPrediction:
        assert prompts.points is not None
        self.asked += len(prompts)
        bright = (features.pooled[0, 0] > 0).numpy().astype(np.uint8)
        _, labels = cv2.connectedComponents(bright)
        logits = np.full((len(prompts), 3, 64, 64), -6.0, np.float32)
        for row, (x, y) in zip(logits, prompts.points[:, 0].tolist(), strict=True):
            label = labels[min(max(round(y), 0), 63), min(max(round(x), 0), 63)]
            if label:
                row[0, labels == label] = 6.0
                row[1, bright > 0] = 0.5  # not stable: falls below 1
        iou = torch.tensor([0.9, 0.5, 0.1]).expand(len(prompts), 3) * self.weight.item()
        return MultimaskPrediction(torch.from_numpy(logits), iou)


@pytest.fixture
def patches() -> PatchSegmenter:
    return PatchSegmenter()


def picture(height: int, width: int, *rectangles: tuple[int, int, int, int]) -> np.ndarray:
    """Dark, with bright rectangles xyxy."""
    image = np.full((height, width, 3), 20, np.uint8)
    for x0, y0, x1, y1 in rectangles:
        image[y0:y1, x0:x1] = 240
    return image
