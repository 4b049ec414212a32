"""Small images and labels that the tests of this room share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from wesam.types import Instance, Sample


def noise_image(height: int, width: int, seed: int = 0) -> np.ndarray:
    """(height, width, 3) uint8; no two places look alike."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def boxed(name: str, x0: int, y0: int, x1: int, y1: int) -> Instance:
    return Instance(id=name, box=(x0, y0, x1, y1))


def with_mask(instance: Instance, width: int, height: int) -> Instance:
    """The instance's filled box as its ground truth."""
    assert instance.box is not None
    x0, y0, x1, y1 = (int(value) for value in instance.box)
    mask = np.zeros((height, width), np.uint8, order="F")
    mask[y0:y1, x0:x1] = 1
    return Instance(id=instance.id, rle=coco_mask.encode(mask))


def write_sample(
    folder: Path, name: str, width: int, height: int, instances: tuple[Instance, ...], seed: int = 0
) -> Sample:
    Image.fromarray(noise_image(height, width, seed)).save(folder / name)
    return Sample(id=name, path=folder / name, width=width, height=height, instances=instances)
