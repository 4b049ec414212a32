"""From weak labels in the image frame to what SAM is asked, in the frame of its input."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from wesam.prompts.coarse_mask import MaskFeeding, cover_logits, signed_distance, with_derived_labels
from wesam.types import NOT_A_POINT, Prompts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wesam.frames.geometry import Geometry
    from wesam.types import Instance


def build_prompts(
    instances: Sequence[Instance], geometry: Geometry, mask_grid: int, feeding: MaskFeeding | None = None
) -> Prompts:
    """One prompt for each instance, made of all the labels it carries (`weak_labels` has chosen them).

    Boxes are clipped to the geometry's crop. Points outside the crop are dropped.

    Args:
        instances: N weak labels in the image frame.
        geometry: the view they are seen in.
        mask_grid: side m of the segmenter's mask grid.
        feeding: what a mask is given as; None for the default of `MaskFeeding`.

    Returns:
        N prompts in the input frame, in the order of the instances: boxes (N, 4), points (N, P, 2) with
        labels (N, P), and mask logits (N, m, m); each part None if no instance has it.

    Raises:
        ValueError: if there is no instance, or nothing of one lies in the crop (crops are planned around the
            objects, so that would be a bug).
    """
    if not instances:
        raise ValueError("expected at least one instance, got none")
    feeding = feeding or MaskFeeding()
    instances = [with_derived_labels(instance, feeding) for instance in instances]
    boxes = _boxes(instances, geometry)
    points, point_labels = _points(instances, geometry)
    masks = _masks(instances, geometry, mask_grid, feeding) if feeding.logits else None

    has_box = ~boxes.isnan().any(1)
    has_points = (point_labels != NOT_A_POINT).any(1)
    has_mask = torch.zeros_like(has_box) if masks is None else ~masks.isnan().flatten(1).any(1)
    for instance, present in zip(instances, (has_box | has_points | has_mask).tolist(), strict=True):
        if not present:
            raise ValueError(f"instance {instance.id}: expected a label inside the crop {geometry.crop}, got none")
    return Prompts(
        boxes=boxes if has_box.any() else None,
        points=points if has_points.any() else None,
        point_labels=point_labels if has_points.any() else None,
        masks=masks if has_mask.any() else None,
    )


def outline_distances(instances: Sequence[Instance], geometry: Geometry, mask_grid: int) -> Tensor | None:
    """Where the masks of weak labels end, as knowledge beside the prompt (see `coarse_mask.signed_distance`).

    Args:
        instances, geometry, mask_grid: as for `build_prompts`.

    Returns:
        (N, m, m) signed distances in cells, NaN rows for instances without a mask in the crop; None if no instance
        has a mask.
    """
    if all(instance.rle is None for instance in instances):
        return None
    distances = torch.full((len(instances), mask_grid, mask_grid), torch.nan)
    for row, instance in zip(distances, instances, strict=True):
        if instance.rle is not None:
            row[:] = signed_distance(geometry.mask_to_grid(instance.mask(), mask_grid))
    return distances


def _boxes(instances: Sequence[Instance], geometry: Geometry) -> Tensor:
    """(N, 4) in the input frame; NaN where an instance has no box inside the crop."""
    boxes = torch.full((len(instances), 4), torch.nan)
    left, top, right, bottom = geometry.crop
    for row, instance in zip(boxes, instances, strict=True):
        if instance.box is not None:
            x0, y0, x1, y1 = instance.box
            x0, y0, x1, y1 = max(x0, left), max(y0, top), min(x1, right), min(y1, bottom)
            if x0 < x1 and y0 < y1:
                row[:] = torch.tensor((x0, y0, x1, y1))
    return geometry.boxes(boxes)


def _points(instances: Sequence[Instance], geometry: Geometry) -> tuple[Tensor, Tensor]:
    """(N, P, 2) in the input frame and (N, P) labels; padded where an instance has fewer points in the crop."""
    left, top, right, bottom = geometry.crop
    inside = [
        [(x, y, label) for x, y, label in instance.points if left <= x < right and top <= y < bottom]
        for instance in instances
    ]
    points = torch.zeros(len(instances), max(map(len, inside)), 2)
    labels = torch.full(points.shape[:2], NOT_A_POINT)
    for row, label_row, clicks in zip(points, labels, inside, strict=True):
        if clicks:
            row[: len(clicks)] = geometry.points(torch.tensor([(x, y) for x, y, _ in clicks]))
            label_row[: len(clicks)] = torch.tensor([label for _, _, label in clicks])
    return points, labels


def _masks(instances: Sequence[Instance], geometry: Geometry, mask_grid: int, feeding: MaskFeeding) -> Tensor | None:
    """(N, m, m) logits over the padded input, NaN where no mask lies in the crop; None if no instance has one."""
    if all(instance.rle is None for instance in instances):
        return None  # a thousand boxes must not pay for masks
    logits = torch.full((len(instances), mask_grid, mask_grid), torch.nan)
    for row, instance in zip(logits, instances, strict=True):
        if instance.rle is not None:  # decoded one at a time: at full size, hundreds would not fit the memory
            covered = geometry.mask_to_grid(instance.mask(), mask_grid)
            if covered.any():
                row[:] = cover_logits(covered, feeding)
    return logits
