"""How a segmenter is asked when nothing is learned: pixels in, masks at the original resolution out."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from wesam.frames.pixels import to_input
from wesam.masks import Rle, encode_mask

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from wesam.frames.geometry import Geometry
    from wesam.models.features import Features
    from wesam.models.segmenter import Segmenter

# Pixels of masks that are held at full size at once.
_PIXELS_AT_ONCE = 2**24


@contextmanager
def inference(segmenter: Segmenter) -> Iterator[None]:
    """Within this context the segmenter is in evaluation mode, without gradients, and answers as it was published."""
    training, as_published = segmenter.training, segmenter.as_published
    segmenter.eval()
    segmenter.as_published = True
    try:
        with torch.no_grad():
            yield
    finally:
        segmenter.train(training)
        segmenter.as_published = as_published


def encode_view(segmenter: Segmenter, image: NDArray[np.uint8], geometry: Geometry) -> Features:
    """Features of one view of an image (H, W, 3) uint8 RGB."""
    pixels = to_input(geometry.image(image), segmenter.input)
    device = next(segmenter.parameters()).device
    return segmenter.encode(pixels[None].to(device))


def full_size_masks(logits: Tensor, geometry: Geometry, size: tuple[int, int]) -> Iterator[Rle]:
    """Masks of the whole image, a few at a time; a pixel belongs to an object where its logit is above 0.

    Args:
        logits: (N, m, m) mask logits over the padded input of one view.
        geometry: of that view.
        size: height and width of the whole image.

    Yields:
        N COCO compressed run-length encodings, in order.
    """
    height, width = size
    x0, y0, _, _ = geometry.crop
    chunk = max(1, _PIXELS_AT_ONCE // (height * width))
    for start in range(0, len(logits), chunk):
        restored = geometry.restore_logits(logits[start : start + chunk])
        for mask in (restored > 0).cpu().numpy():
            yield encode_mask(mask, size, corner=(x0, y0))
