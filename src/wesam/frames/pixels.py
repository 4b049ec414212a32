"""From pixels in [0, 1] to what the encoder reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from wesam.models.base import Segmenter


@dataclass(frozen=True)
class InputFormat:
    """What the views must know of a segmenter. Free of weights, so that loader processes can hold it.

    Attributes:
        input_size, mask_grid, pixel_mean, pixel_std: as in `models.base.Segmenter`.
    """

    input_size: int
    mask_grid: int
    pixel_mean: tuple[float, float, float]
    pixel_std: tuple[float, float, float]

    @staticmethod
    def of(segmenter: Segmenter) -> InputFormat:
        return InputFormat(segmenter.input_size, segmenter.mask_grid, segmenter.pixel_mean, segmenter.pixel_std)


def to_input(image: Tensor, segmenter: Segmenter | InputFormat) -> Tensor:
    """Normalises, then pads with zeros at the bottom right: padding is the mean colour, as in the official SAM.

    Args:
        image: (3, h, w) float RGB in [0, 1], neither side longer than the segmenter's input_size S.
        segmenter: whose `pixel_mean`, `pixel_std` and `input_size` count.

    Returns:
        (3, S, S) float.

    Raises:
        ValueError: if the image has another shape or does not fit.
    """
    size = segmenter.input_size
    if image.ndim != 3 or len(image) != 3 or max(image.shape[1:]) > size:
        raise ValueError(f"expected an image (3, h, w) with sides up to {size}, got {tuple(image.shape)}")
    mean = torch.tensor(segmenter.pixel_mean, dtype=image.dtype, device=image.device).view(3, 1, 1)
    std = torch.tensor(segmenter.pixel_std, dtype=image.dtype, device=image.device).view(3, 1, 1)
    height, width = image.shape[1:]
    return F.pad((image - mean) / std, (0, size - width, 0, size - height))
