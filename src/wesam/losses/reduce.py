"""The one place that decides how much an instance and an image weigh."""

from __future__ import annotations

import torch
from torch import Tensor


def image_mean(per_instance: Tensor, image_index: Tensor, images: int) -> Tensor:
    """Mean over the instances of each image, then over the images that have any.

    So neither the number of objects of an image nor the batch size changes the weight of an image.

    Args:
        per_instance: (N,) values.
        image_index: (N,) int64, which of the images each belongs to.
        images: B, the number of images.

    Returns:
        A scalar; 0 where N is 0.

    Raises:
        ValueError: if the shapes differ.
    """
    if per_instance.ndim != 1 or per_instance.shape != image_index.shape:
        raise ValueError(
            f"expected values (N,) and image_index (N,), got {tuple(per_instance.shape)} and {tuple(image_index.shape)}"
        )
    # A sum under a membership matrix, not index_add: that one adds in any order on a GPU.
    member = membership(image_index, images)
    count = member.sum(1)
    means = (member * per_instance).sum(1) / count.clamp_min(1)
    return means.sum() / (count > 0).sum().clamp_min(1)


def membership(image_index: Tensor, images: int) -> Tensor:
    """(B, N) bool: which instance belongs to which image."""
    return image_index == torch.arange(images, device=image_index.device)[:, None]
