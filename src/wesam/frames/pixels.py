"""From pixels in [0, 1] to what the encoder reads."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from wesam.frames.input_format import InputFormat


def to_input(image: Tensor, input_format: InputFormat) -> Tensor:
    """Normalises, then pads with zeros at the bottom right: padding is the mean colour, as in the official SAM.

    Args:
        image: (3, h, w) float RGB in [0, 1], neither side longer than the input's S.
        input_format: of the segmenter that reads it.

    Returns:
        (3, S, S) float.

    Raises:
        ValueError: if the image has another shape or does not fit.
    """
    size = input_format.size
    if image.ndim != 3 or len(image) != 3 or max(image.shape[1:]) > size:
        raise ValueError(f"expected an image (3, h, w) with sides up to {size}, got {tuple(image.shape)}")
    mean = torch.tensor(input_format.mean, dtype=image.dtype, device=image.device).view(3, 1, 1)
    std = torch.tensor(input_format.std, dtype=image.dtype, device=image.device).view(3, 1, 1)
    height, width = image.shape[1:]
    return F.pad((image - mean) / std, (0, size - width, 0, size - height))
