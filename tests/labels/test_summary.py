from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from wesam.labels.summary import summarise, tiny_object_hint
from wesam.types import Instance, Sample


def sample(*instances: Instance, width: int = 100, height: int = 80) -> Sample:
    return Sample("a.png", Path("a.png"), width, height, instances)


def test_counts_kinds_and_sizes() -> None:
    mask = np.zeros((80, 100), np.uint8, order="F")
    mask[10:26, 20:24] = 1
    found = summarise(
        [
            sample(
                Instance("1", box=(0, 0, 16, 4)),
                Instance("2", rle=coco_mask.encode(mask)),
                Instance("3", points=((1, 1, 1),)),
                Instance("4", box=(0, 0, 8, 8), points=((1, 1, 1),)),
            ),
            sample(),
        ]
    )
    assert (found.images, found.instances, found.boxes, found.points, found.masks) == (2, 4, 2, 2, 1)
    assert found.object_px == pytest.approx((8, 8, 8))


def test_points_alone_have_no_size() -> None:
    assert summarise([sample(Instance("3", points=((1, 1, 1),)))]).object_px is None
    assert tiny_object_hint([sample(Instance("3", points=((1, 1, 1),)))], 256) is None
    assert summarise([]).object_px is None


def test_the_proposed_tile_makes_the_median_object_two_patches_wide() -> None:
    samples = [sample(Instance("1", box=(0, 0, 20, 20)), width=1000)]
    hint = tiny_object_hint(samples, 256)
    assert hint is not None
    assert hint.startswith("the median object is 5 px")
    tile = int(hint.rsplit(" ", 1)[1])
    assert 32 <= 20 * 256 / tile < 40
