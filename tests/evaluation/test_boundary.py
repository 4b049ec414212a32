"""Boundary IoU against the published definition, by repeated erosion of the whole image."""

import cv2
import numpy as np
import pytest

from wesam.evaluation.boundary import boundary_iou, inner_band
from wesam.masks import encode_mask


def slow_band(mask, pixels):
    """As bowenc0221/boundary-iou-api has it: erode a mask padded with zeros, once a pixel."""
    padded = np.pad(mask.astype(np.uint8), 1)
    eroded = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=pixels)[1:-1, 1:-1]
    return mask & ~eroded.astype(bool)


def slow_boundary_iou(predicted, true):
    pixels = max(1, round(0.02 * float(np.hypot(*true.shape))))
    one, other = slow_band(predicted, pixels), slow_band(true, pixels)
    union = (one | other).sum()
    return (one & other).sum() / union if union else 1.0


def masks(seed, shape):
    """Blobs that touch the sides, have holes and fall to pieces."""
    generator = np.random.default_rng(seed)
    noise = generator.normal(size=(2, *shape)).astype(np.float32)
    return [cv2.GaussianBlur(layer, (0, 0), 6) > 0.01 for layer in noise]


@pytest.mark.parametrize("shape", [(60, 90), (200, 130)])
@pytest.mark.parametrize("seed", range(4))
def test_it_is_the_published_one(seed, shape):
    predicted, true = masks(seed, shape)
    found = boundary_iou(encode_mask(predicted), encode_mask(true))
    assert found == pytest.approx(slow_boundary_iou(predicted, true), abs=1e-12)
    assert 0 < found < 1


def test_bands_are_as_wide_as_asked_for():
    mask = np.zeros((20, 30), bool)
    mask[4:16, 5:25] = True
    found = inner_band(encode_mask(mask), 2)
    assert found == encode_mask(slow_band(mask, 2))


def test_empty_masks_agree_with_each_other_alone():
    empty, full = (encode_mask(np.full((9, 9), value)) for value in (False, True))
    assert boundary_iou(empty, empty) == 1
    assert boundary_iou(empty, full) == 0
