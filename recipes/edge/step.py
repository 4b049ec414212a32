"""The losses of one step: the prompts and costs of `recipes.pretraining.step`, asked of an EdgeTAM."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from recipes.edge.network import DenseHead, EdgeNet
from recipes.pretraining.batches import Batch
from recipes.pretraining.step import CHANCES, COUNTS, ROTATION, dense_losses, jitter, mask_cost, pick_points

#: Losses of the training-only head; half as heavy as the others.
DENSE = ("edges", "colours", "affinity")

#: Instances an image in the rotating third kind of prompt.
_EXTRA = 2


def step_losses(net: EdgeNet, batch: Batch, step: int) -> dict[str, Tensor]:
    """Named losses of one step; names with `~` are only reported. The step seeds all that is random.

    Each step asks half of the instances by box and half by points; every other step some of them also by a third kind:
    box with points, mask, or a second click that corrects the first answer.
    """
    rng = np.random.default_rng(step)
    generator = torch.Generator().manual_seed(step)
    levels, projected = net.encode(batch.pixels)
    losses = dense_losses(DenseHead.split(projected), batch, generator)
    half = batch.boxes.shape[1] // 2
    third = ROTATION[step // 2 % len(ROTATION)]
    count = COUNTS[rng.choice(len(COUNTS), p=CHANCES)]

    boxes = jitter(batch.boxes[:, :half], generator)
    by_box = net.ask(levels, boxes=boxes)
    _score(losses, "box", by_box, batch.targets[:, :half], multi=0.5 * (step % 4 == 1))
    points, labels = pick_points(batch, slice(half, None), *count)
    by_points = net.ask(levels, points=points, labels=labels)
    _score(losses, "points", by_points, batch.targets[:, half:], multi=0.5)
    if step % 2:
        return losses

    few = slice(half, half + _EXTRA) if third == "refine points" else slice(0, _EXTRA)
    target = batch.targets[:, few]
    if third == "box+points":
        points, labels = pick_points(batch, few, max(1, count[0] - 1), count[1])
        second = net.ask(levels, points=points, labels=labels, boxes=boxes[:, few])
    elif third == "mask":
        scale = 1 + 9 * torch.rand(*target.shape[:2], 1, 1, generator=generator)
        mask = (2 * batch.coarse[:, few] - 1) * scale
        points, labels = pick_points(batch, few, 1, 0)
        if rng.uniform() < 0.3:
            second = net.ask(levels, masks=mask, points=points, labels=labels)
        else:
            second = net.ask(levels, masks=mask)
    else:
        logits = (by_box if third == "refine box" else by_points)[0][:, 0].detach()
        logits = logits.unflatten(0, (len(target), -1))[:, :_EXTRA]
        point, label = error_points(logits, target, generator, net.size / net.grid)
        if third == "refine box":
            second = net.ask(levels, masks=logits, points=point, labels=label, boxes=boxes[:, few])
        else:
            points = torch.cat([points[:, :_EXTRA], point], 2)
            labels = torch.cat([labels[:, :_EXTRA], label], 2)
            second = net.ask(levels, masks=logits, points=points, labels=labels)
    _score(losses, third, second, target, multi=0.0)
    return losses


def total(losses: dict[str, Tensor]) -> Tensor:
    """What is minimised."""
    return torch.stack(
        [(0.5 if name in DENSE else 1.0) * value for name, value in losses.items() if name[0] != "~"]
    ).sum()


def error_points(logits: Tensor, target: Tensor, generator: torch.Generator, cell: float) -> tuple[Tensor, Tensor]:
    """One point of each mask's error region, as a user would click: (B, K, 1, 2), labels (B, K, 1).

    Args:
        logits, target: (B, K, m, m).
        cell: side of a mask cell in pixels of the input.
    """
    truth = target > 0.5
    wrong = ((logits > 0) != truth).float().flatten(0, 1).flatten(1) + 1e-6
    index = torch.multinomial(wrong, 1, generator=generator)
    side = target.shape[-1]
    point = torch.cat([index % side, index // side], 1) * cell + (cell - 1) / 2
    label = truth.flatten(0, 1).flatten(1).gather(1, index).float()
    images, each = target.shape[:2]
    return point.reshape(images, each, 1, 2).float(), label.reshape(images, each, 1)


def _score(losses: dict[str, Tensor], name: str, answer: tuple[Tensor, Tensor], target: Tensor, multi: float) -> None:
    logits, predicted = answer
    if not multi:  # the other three answers are not asked for
        logits, predicted = logits[:, :1], predicted[:, :1]
    cost, true = mask_cost(logits, target.flatten(0, 1)[:, None], 0.0)
    losses[name] = cost[:, 0].mean()
    if multi:  # only the best of the three answers learns: they specialise
        losses[f"{name}/multi"] = multi * cost[:, 1:].amin(1).mean()
    losses[f"{name}/iou"] = F.mse_loss(predicted, true)
    losses[f"~{name} iou"] = true[:, 0].mean()
