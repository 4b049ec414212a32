"""What can be said of masks without knowing the true ones: pure functions, one a signal.

No single signal is the quality of a mask. Agreement also rises in a network that has collapsed to one simple
answer, and closeness to the source model rewards learning nothing; therefore there are several.
`health.probe` collects them over images.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np
import torch
from torch import Tensor

from wesam.losses.iou import mask_iou
from wesam.losses.projection import projection_loss
from wesam.types import BACKGROUND, FOREGROUND, Prompts

SignalName = Literal[
    "anchor_agreement",
    "flip_agreement",
    "strong_agreement",
    "box_agreement",
    "point_agreement",
    "mask_agreement",
    "predicted_iou",
    "stability",
    "label_agreement",
    "area_drift",
    "feature_rank",
    "degenerate_masks",
]
SIGNAL_NAMES: tuple[SignalName, ...] = get_args(SignalName)

# A mask over this share of the image and more counts as full.
FULL_SHARE = 0.95


@dataclass(frozen=True)
class Signal:
    """What a signal means.

    Attributes:
        meaning: in words, with its range.
        better: which values are good: "high", "low", or "zero" for those near 0.
    """

    meaning: str
    better: Literal["high", "low", "zero"]


SIGNALS: Mapping[SignalName, Signal] = {
    "anchor_agreement": Signal("IoU with the source model's masks, where it gave any, in [0, 1]", "high"),
    "flip_agreement": Signal("IoU with the masks on the mirrored image, in [0, 1]", "high"),
    "strong_agreement": Signal("IoU with the masks on the strong view, in [0, 1]", "high"),
    "box_agreement": Signal("IoU with the masks that the mask's own box gives, in [0, 1]", "high"),
    "point_agreement": Signal("IoU with the masks that the mask's innermost point gives, in [0, 1]", "high"),
    "mask_agreement": Signal("IoU with the masks that the mask as a prompt gives, in [0, 1]", "high"),
    "predicted_iou": Signal("the IoU that the network itself predicts for its masks", "high"),
    "stability": Signal("SAM's stability score: IoU of the masks at logits +1 and -1, in [0, 1]", "high"),
    "label_agreement": Signal("how well masks fit the label that prompted them, in [0, 1]", "high"),
    "area_drift": Signal("mean log of mask area / the source model's; 0.1 is about 10 % larger", "zero"),
    "feature_rank": Signal("effective rank of the features pooled under the masks, at least 1", "high"),
    "degenerate_masks": Signal("fraction of masks that are empty or fill the image, in [0, 1]", "low"),
}


def gain(name: SignalName, value: float, source: float) -> float:
    """How much better a signal is than the source model's, on a scale that signals share; 0 is the same.

    Shares are subtracted. The effective rank has no fixed range, so its relative change counts.
    """
    if name == "feature_rank":
        return value / source - 1 if source > 0 else 0.0
    match SIGNALS[name].better:
        case "high":
            return value - source
        case "low":
            return source - value
        case "zero":
            return abs(source) - abs(value)


def mirrored_back(logits: Tensor, width: float) -> Tensor:
    """Mask logits of a mirrored view, as they lie on the upright one.

    The image ends at `width`, which may be within a cell: then values are interpolated along the row.

    Args:
        logits: (N, m, m) on the grid of the mirrored view, padded at the right.
        width: of the image, in cells, in (0, m].

    Returns:
        (N, m, m) logits; cells beyond `width` repeat the edge and mean nothing.
    """
    cells = logits.shape[2]
    # The centre of cell j lies at j + 1/2; its mirror image at width - j - 1/2 is index width - 1 - j.
    place = (width - 1 - torch.arange(cells, device=logits.device, dtype=torch.float32)).clamp(0, cells - 1)
    lower = place.floor().long()
    share = (place - lower).to(logits.dtype)
    upper = (lower + 1).clamp_max(cells - 1)
    return logits[:, :, lower] * (1 - share) + logits[:, :, upper] * share


def label_agreement(masks: Tensor, prompts: Prompts, cell: float) -> Tensor:
    """How well masks fit the weak labels that prompted them: the mean over the kinds of label that each has.

    * box: 1 - L / 2 with L the projection loss (BoxInst, arXiv 2012.02310) of the binary mask: 1 if it
      touches all four sides and stays inside;
    * points: the share that lies on the right side of the mask's outline;
    * mask: IoU with it.

    Args:
        masks: (N, m, m) bool.
        prompts: N prompts in the input frame.
        cell: side of a grid cell in pixels of the input.

    Returns:
        (N,) in [0, 1].
    """
    count = len(masks)
    total, kinds = torch.zeros(count, device=masks.device), torch.zeros(count, device=masks.device)

    def add(score: Tensor, present: Tensor) -> None:
        nonlocal total, kinds
        total = total + torch.where(present, score, 0.0)
        kinds = kinds + present

    if prompts.boxes is not None:
        # Logits without bound, so that the loss is that of the binary mask.
        certain = torch.where(masks, torch.inf, -torch.inf)
        loss = projection_loss(certain, prompts.boxes / cell)
        add(1 - loss / 2, ~prompts.boxes.isnan().any(1))
    if prompts.points is not None and prompts.point_labels is not None:
        # A pixel's index lies half a pixel before its centre.
        place = ((prompts.points + 0.5) / cell).long().clamp(0, masks.shape[1] - 1)
        covered = masks[torch.arange(count, device=masks.device)[:, None], place[..., 1], place[..., 0]]
        positive, negative = prompts.point_labels == FOREGROUND, prompts.point_labels == BACKGROUND
        right = (positive & covered) | (negative & ~covered)
        known = (positive | negative).sum(1)
        add(right.sum(1) / known.clamp_min(1), known > 0)
    if prompts.masks is not None:
        add(mask_iou(masks, prompts.masks > 0), ~prompts.masks.isnan().flatten(1).any(1))
    return total / kinds.clamp_min(1)


def anchor_agreement(masks: Tensor, anchor: Tensor, valid: Tensor) -> Tensor:
    """(N,) IoU with the source model's masks; NaN where the source model found nothing.

    An answer to a prompt that the source model had none for contradicts nothing: a network that finds what it missed
    has not drifted.

    Args:
        masks, anchor: (N, m, m) bool.
        valid: (N, m, m), 1 on the image and 0 on padding.
    """
    silent = (anchor * valid).sum((1, 2)) == 0
    return mask_iou(masks, anchor, valid).masked_fill(silent, torch.nan)


def area_drift(masks: Tensor, anchor: Tensor, valid: Tensor) -> Tensor:
    """(N,) natural log of each mask's area over the source model's, both counted with one cell more.

    Args:
        masks, anchor: (N, m, m) bool.
        valid: (N, m, m), 1 on the image and 0 on padding.
    """
    own, source = ((part * valid).sum((1, 2)) + 1 for part in (masks, anchor))
    return (own / source).log()


def degenerate(masks: Tensor, valid: Tensor) -> Tensor:
    """(N,) 1 where a mask (m, m) is empty or covers `FULL_SHARE` of the image or more, else 0."""
    area, image = (masks * valid).sum((1, 2)), valid.sum((1, 2))
    return ((area == 0) | (area >= FULL_SHARE * image)).float()


def effective_rank(vectors: Tensor) -> float:
    """exp of the entropy of the normalised singular values of the centred vectors (Roy & Vetterli 2007).

    RankMe (Garrido et al. 2023, arXiv 2210.02885) judges representations by it without labels. A network whose
    features collapse to few directions scores low.

    Args:
        vectors: (N, C), one pooled feature each.

    Returns:
        At least 1, at most min(N - 1, C); 1 where there are fewer than two different vectors; NaN where one is not
        finite.
    """
    if len(vectors) < 2:
        return 1.0
    if not bool(vectors.isfinite().all()):
        return math.nan
    exact = vectors.cpu().double()  # in this order: Apple's GPUs have no float64
    centred = exact - exact.mean(0)
    singular = torch.linalg.svdvals(centred)
    total = float(singular.sum())
    if total <= 1e-12:
        return 1.0
    share = singular / total
    return math.exp(float(torch.special.entr(share).sum()))


def prompts_from_answers(logits: Tensor, cell: float) -> tuple[Prompts, Prompts, Prompts]:
    """Three other prompts for the same objects: the box, the innermost point, and the answer itself as a mask.

    Args:
        logits: (N, m, m) mask logits. An empty answer gets the whole square and its first cell, which cannot
            matter: it agrees with nothing (`losses.iou.mask_iou`).
        cell: side of a grid cell in pixels of the input.

    Returns:
        N prompts each, in the input frame.
    """
    masks = logits > 0
    boxes, points = [], []
    for mask in masks.cpu().numpy():
        rows, columns = mask.any(1).nonzero()[0], mask.any(0).nonzero()[0]
        if len(rows):
            boxes.append((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
        else:
            boxes.append((0, 0, mask.shape[1], mask.shape[0]))
        # The grid's edge counts as an outline: an object that the image cuts off has its middle in the image.
        depth = cv2.distanceTransform(np.pad(mask.astype(np.uint8), 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
        y, x = np.unravel_index(depth.argmax(), depth.shape)
        points.append((x, y))
    # SAM adds half a pixel to points, as they are pixel indices.
    centres = (torch.tensor(np.array(points), dtype=torch.float32).reshape(-1, 1, 2) + 0.5) * cell - 0.5
    return (
        Prompts(boxes=torch.tensor(np.array(boxes), dtype=torch.float32).reshape(-1, 4).to(logits.device) * cell),
        Prompts(
            points=centres.to(logits.device),
            point_labels=torch.full((len(logits), 1), FOREGROUND, device=logits.device),
        ),
        Prompts(masks=logits),
    )
