"""Contrast between the same prompt in two branches and different prompts, on the encoder's features.

Adaptation moves the encoder alone, so the loss acts where the low-rank update does (WeSAM,
arXiv 2312.03502).
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from wesam.losses.reduce import membership

ContrastiveForm = Literal["summed", "row-wise"]


def background_masks(masks: Tensor, image_index: Tensor, valid: Tensor) -> Tensor:
    """What no instance of an image covers: its background, a further pseudo-instance.

    Without it an image with one instance, as most medical ones, has no negative pair.

    Args:
        masks: (N, m, m) binary masks.
        image_index: (N,) int64, which of the B images each belongs to.
        valid: (B, m, m), 1 on the image and 0 on padding.

    Returns:
        (B, m, m) bool masks.
    """
    covered = torch.zeros_like(valid, dtype=torch.float32)
    # Counts are whole numbers, so the order of the additions cannot matter.
    covered.index_add_(0, image_index, masks.float())
    return (covered == 0) & (valid > 0)


def pool_features(features: Tensor, masks: Tensor, image_index: Tensor) -> tuple[Tensor, Tensor]:
    """Mean feature under each mask, of length 1: ``z = sum(f m) / sum(m)``, l2-normalised.

    Args:
        features: (B, C, g, g) of the encoder.
        masks: (N, m, m) masks in [0, 1] on the mask grid, m >= g; they are resized to the feature grid by
            area averaging.
        image_index: (N,) int64, which of the B images each belongs to.

    Returns:
        z (N, C) float32, and (N,) bool, False where the mask vanished: its z is 0 and must not be paired.

    Raises:
        ValueError: if the shapes do not fit.
    """
    if features.ndim != 4 or masks.ndim != 3 or image_index.shape != masks.shape[:1]:
        raise ValueError(
            f"expected features (B, C, g, g), masks (N, m, m) and image_index (N,), got "
            f"{tuple(features.shape)}, {tuple(masks.shape)} and {tuple(image_index.shape)}"
        )
    grid = (features.shape[2], features.shape[3])
    coverage = F.adaptive_avg_pool2d(masks.float()[:, None], grid).flatten(1)  # (N, g g)
    # Autocast would round this product to half precision. Every mask meets every image and all but its own
    # are dropped: dearer in arithmetic than a loop over images, but nothing next to the encoder, and
    # neither a copy of the features for each instance nor a wait for the device is needed.
    with torch.autocast(features.device.type, enabled=False):
        sums = coverage @ features.float().flatten(2).transpose(1, 2)  # (B, N, C)
    pooled = sums[image_index, torch.arange(len(masks), device=sums.device)]
    area = coverage.sum(1)
    present = area > 0
    mean = pooled / torch.where(present, area, torch.ones_like(area))[:, None]
    return F.normalize(mean, dim=1), present


def contrastive_loss(
    queries: Tensor,
    keys: Tensor,
    present: Tensor,
    image_index: Tensor,
    images: int,
    *,
    temperature: float = 0.3,
    form: ContrastiveForm = "summed",
    cross_image_negatives: bool = True,
) -> Tensor:
    """InfoNCE between two branches (WeSAM, arXiv 2312.03502).

    With ``S[k, j] = z_k^te . z_j^an / tau``, for each image over its entries k:

    * ``summed`` (the paper): ``-log(sum_k exp S[k, k] / sum_{k, j} exp S[k, j])``;
    * ``row-wise`` (van den Oord et al. 2018, arXiv 1807.03748): mean over k of
      ``-log(exp S[k, k] / sum_j exp S[k, j])``, so that every entry weighs the same.

    j runs over the entries of the same image, or of all images with `cross_image_negatives`. Then the mean is
    taken over images.

    Args:
        queries: (M, C) teacher entries of length 1: the pooled instances, and backgrounds if wanted.
        keys: (M, C) anchor entries, row k of the same prompt as row k of the queries.
        present: (M,) bool, False leaves an entry out both as query and as key.
        image_index: (M,) int64, which of the images each entry belongs to.
        images: B, the number of images.
        temperature: tau, 0.3 in the paper.
        form: see above.
        cross_image_negatives: whether entries of the other images are negatives too.

    Returns:
        A scalar, at least 0; exactly 0, with a graph, where fewer than two entries are left.

    Raises:
        ValueError: if the shapes differ.
    """
    if queries.ndim != 2 or queries.shape != keys.shape or present.shape != queries.shape[:1]:
        raise ValueError(
            f"expected queries and keys (M, C) and present (M,), got "
            f"{tuple(queries.shape)}, {tuple(keys.shape)} and {tuple(present.shape)}"
        )
    with torch.autocast(queries.device.type, enabled=False):
        similarity = queries.float() @ keys.float().T / temperature
    allowed = present[:, None] & present[None, :]
    if not cross_image_negatives:
        allowed = allowed & (image_index[:, None] == image_index[None, :])
    # A row of nothing but -inf has a NaN for a gradient, so rows left out keep their numbers; they are
    # dropped below.
    everything = similarity.masked_fill(present[:, None] & ~allowed, -torch.inf).logsumexp(1)
    positive = similarity.diagonal()
    member = membership(image_index, images) & present
    if form == "row-wise":
        mean = (member * (everything - positive)).sum(1) / member.sum(1).clamp_min(1)
        return mean.mean()
    # An image without entries sums over all rows instead (finite), and its term is dropped.
    counted = member.any(1)
    rows = torch.where(member | ~counted[:, None], 0.0, -torch.inf)
    terms = (rows + everything).logsumexp(1) - (rows + positive).logsumexp(1)
    return torch.where(counted, terms, 0.0).mean()
