"""Prompts of different kinds, sorted into groups that the decoder can take as one batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from wesam.errors import WesamError
from wesam.types import NOT_A_POINT, Prompts


@dataclass(frozen=True)
class PromptGroup:
    """Prompts that hold the same parts, and which rows of the whole they were."""

    prompts: Prompts
    rows: Tensor


def group_by_kind(prompts: Prompts) -> list[PromptGroup]:
    """Splits prompts by what they hold, without padding: SAM sees a padding point as a token of its own.

    Official SAM asks one kind at a time. A box beside two clicks and a box alone have different numbers of
    tokens, and clicks without a box get SAM's "not a point" token while clicks beside a box do not.
    """
    device = next(part.device for part in (prompts.boxes, prompts.points, prompts.masks) if part is not None)
    if prompts.points is None and (prompts.boxes is None) != (prompts.masks is None):
        # One part alone: every prompt has it, and the host need not wait for the values.
        return [PromptGroup(prompts, torch.arange(len(prompts), device=device))]

    none = torch.zeros(len(prompts), dtype=torch.long, device=device)
    boxes = none if prompts.boxes is None else (~prompts.boxes.isnan().any(1)).long()
    masks = none if prompts.masks is None else (~prompts.masks[:, 0, 0].isnan()).long()
    points = none if prompts.point_labels is None else (prompts.point_labels != NOT_A_POINT).sum(1)
    kinds: dict[tuple[int, int, int], list[int]] = {}
    for row, (box, mask, count) in enumerate(torch.stack([boxes, masks, points], 1).tolist()):
        kinds.setdefault((box, mask, count), []).append(row)
    if (0, 0, 0) in kinds:
        raise WesamError(f"prompts: expected a box, points or a mask for each, got none at row {kinds[0, 0, 0][0]}")

    groups = []
    for (box, mask, count), members in kinds.items():
        rows = torch.tensor(members, device=device)
        part = prompts if len(kinds) == 1 else prompts[rows]
        coordinates, labels = _real_points(part, count)
        only = Prompts(part.boxes if box else None, coordinates, labels, part.masks if mask else None)
        groups.append(PromptGroup(only, rows))
    return groups


def _real_points(prompts: Prompts, count: int) -> tuple[Tensor | None, Tensor | None]:
    """The `count` points of each prompt that are not padding, in order: (N, count, 2) and (N, count)."""
    if prompts.points is None or prompts.point_labels is None or count == 0:
        return None, None
    if count == prompts.points.shape[1]:
        return prompts.points, prompts.point_labels
    order = (prompts.point_labels == NOT_A_POINT).int().argsort(dim=1, stable=True)[:, :count]
    return prompts.points.gather(1, order[..., None].expand(-1, -1, 2)), prompts.point_labels.gather(1, order)
