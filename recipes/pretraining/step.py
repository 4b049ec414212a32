"""What one pretraining step asks of the network and how the answers are scored.

Prompts come in groups, each of one kind and one token count, because that is how they come in use: padding
tokens inside a group would change the attention. Every step decodes a box group and a point group; every other
step also one of a rotating third kind: box with points, mask, or a second round that corrects the first's errors.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import SamModel

from recipes.pretraining.batches import Batch
from recipes.pretraining.network import DenseHeads, NetworkConfig, build_sam, decode_all

ROTATION = ("box+points", "refine box", "mask", "refine points")
#: Positive and negative points of a step, with their chances: few token counts, so few graphs to compile.
COUNTS = ((1, 0), (2, 1), (3, 0), (1, 2), (3, 3), (4, 2), (5, 5))
CHANCES = (0.25, 0.08, 0.08, 0.08, 0.08, 0.08, 0.35)


class PretrainNet(nn.Module):
    """The model, its training-only heads and the losses of one step.

    Attributes:
        sam: what is shipped.
        heads: what is dropped.
    """

    def __init__(self, config: NetworkConfig, extra: int = 2, bf16: bool = True, compiled: bool = False) -> None:
        super().__init__()
        self.sam: SamModel = build_sam(config)
        self.heads = DenseHeads(config.decoder_size)
        self.extra = extra
        self.bf16 = bf16
        # Round one only: the second meets many more shapes, each of which would be compiled.
        self.decode_many = torch.compile(decode_all, dynamic=False) if compiled else decode_all
        if compiled:
            for layer in self.sam.vision_encoder.layers:
                layer.compile(dynamic=False)

    def forward(self, batch: Batch, seed: int, step: int, blind: bool, balanced: float) -> dict[str, Tensor]:
        """Named losses of one step; their sum is what is minimised. Names with `~` are only reported.

        Args:
            batch: B images, K instances each: the first half are asked by box, the rest by points.
            seed: of the prompts' randomness.
            step: chooses the third kind of prompt.
            blind: decode from zeros in place of features (the warm-up of the decoder).
            balanced: weight of the balanced cross-entropy that ends a cold start.
        """
        rng = np.random.default_rng(seed)
        generator = torch.Generator(batch.pixels.device).manual_seed(seed)
        device = batch.pixels.device.type
        position = self.sam.get_image_wide_positional_embeddings()
        with torch.autocast(device, torch.bfloat16, enabled=self.bf16):
            features = self.sam.vision_encoder(batch.pixels).last_hidden_state
            dense = self.heads(features)
        losses = dense_losses(dense, batch, generator)
        features = features.float()
        if blind:
            features = features * 0.0  # not a new tensor: the compiled graph stays the same

        half = batch.boxes.shape[1] // 2
        third = ROTATION[step // 2 % len(ROTATION)]
        count = COUNTS[rng.choice(len(COUNTS), p=CHANCES)]

        # Round one: boxes for the first half of each image's instances, points for the second.
        box_rows, point_rows = slice(0, half), slice(half, None)
        boxes = jitter(batch.boxes[:, box_rows], generator)
        answer = self._ask(features, position, boxes=boxes, decode=self.decode_many)
        self._score(losses, "box", answer, batch.targets[:, box_rows], balanced, multi=0.5 * (step % 4 == 1))
        points, labels = pick_points(batch, point_rows, *count)
        first = self._ask(features, position, points=points, labels=labels, decode=self.decode_many)
        self._score(losses, "points", first, batch.targets[:, point_rows], balanced, multi=0.5)

        # Round two, every other step, on a few instances of each image.
        if step % 2:
            return losses
        few = slice(0, self.extra)
        if third == "refine points":
            few = slice(half, half + self.extra)
        target = batch.targets[:, few]
        if third == "box+points":
            points, labels = pick_points(batch, few, max(1, count[0] - 1), count[1])
            second = self._ask(features, position, points=points, labels=labels, boxes=boxes[:, few])
        elif third == "mask":
            scale = 1 + 9 * torch.rand(*target.shape[:2], 1, 1, generator=generator, device=target.device)
            mask = (2 * batch.coarse[:, few] - 1) * scale
            points, labels = pick_points(batch, few, 1, 0)
            with_point = rng.uniform() < 0.3
            second = self._ask(
                features,
                position,
                masks=mask,
                points=points if with_point else None,
                labels=labels if with_point else None,
            )
        else:
            start = answer if third == "refine box" else first
            logits = start[0][:, 0].detach()
            logits = logits.reshape(len(features), -1, *logits.shape[1:])[:, : self.extra]
            point, label = error_points(logits, target, generator)
            if third == "refine box":
                second = self._ask(features, position, masks=logits, points=point, labels=label, boxes=boxes[:, few])
            else:
                points, labels = (
                    torch.cat([points[:, : self.extra], point], 2),
                    torch.cat([labels[:, : self.extra], label], 2),
                )
                second = self._ask(features, position, masks=logits, points=points, labels=labels)
        self._score(losses, third, second, target, balanced, multi=0.0)
        return losses

    def _ask(
        self,
        features: Tensor,
        position: Tensor,
        *,
        boxes: Tensor | None = None,
        points: Tensor | None = None,
        labels: Tensor | None = None,
        masks: Tensor | None = None,
        decode: Callable[..., tuple[Tensor, Tensor]] = decode_all,
    ) -> tuple[Tensor, Tensor]:
        """All masks of K prompts an image: logits (B K, 4, m, m) and IoU (B K, 4)."""
        given = next(x for x in (boxes, points, masks) if x is not None)
        each = given.shape[1]
        sparse, dense = self.sam.prompt_encoder(
            input_points=points,
            input_labels=labels,
            input_boxes=boxes,
            input_masks=None if masks is None else masks.flatten(0, 1)[:, None],
        )
        if masks is None:
            dense = dense[:1]
        with torch.autocast(features.device.type, torch.bfloat16, enabled=self.bf16):
            return decode(
                self.sam,
                features.repeat_interleave(each, 0),
                None if sparse is None else sparse.flatten(0, 1)[:, None],
                dense,
                position,
            )

    @staticmethod
    def _score(
        losses: dict[str, Tensor],
        name: str,
        answer: tuple[Tensor, Tensor],
        target: Tensor,
        balanced: float,
        multi: float,
    ) -> None:
        logits, predicted = answer
        target = target.flatten(0, 1)
        if not multi:  # the other three answers are not asked for
            logits, predicted = logits[:, :1], predicted[:, :1]
        cost, true = mask_cost(logits, target[:, None], balanced)
        losses[name] = cost[:, 0].mean()
        if multi:  # only the best of the three answers learns: they specialise
            losses[f"{name}/multi"] = multi * cost[:, 1:].amin(1).mean()
        losses[f"{name}/iou"] = F.mse_loss(predicted, true)
        losses[f"~{name} iou"] = true[:, 0].mean()


def mask_cost(logits: Tensor, target: Tensor, balanced: float) -> tuple[Tensor, Tensor]:
    """20 focal + dice + cross-entropy by area (+ balanced) of each mask against soft targets, and its true IoU.

    Args:
        logits: (P, M, m, m).
        target: (P, 1, m, m) coverage in [0, 1]; a half-covered cell asks for a logit of 0, so the border
            can lie between cells.
    Returns:
        cost (P, M) and IoU (P, M), the latter without gradient.
    """
    logits, target = logits.flatten(2), target.flatten(2)
    p = logits.sigmoid()
    entropy = F.softplus(logits) - target * logits
    floor = F.binary_cross_entropy(target, target, reduction="none") if not target.requires_grad else 0.0
    excess = entropy - floor  # 0 where the answer is exactly right, also in half-covered cells
    alpha = 0.2 + 0.6 * target
    focal = (alpha * (p - target).square() * excess).mean(-1)
    dice = 1 - (2 * (p * target).sum(-1) + 1) / (p.square().sum(-1) + target.square().sum(-1) + 1)
    # by area, not by picture: else a cell of twenty pixels hardly weighs anything, in focal as in dice
    local = excess.sum(-1) / (target.sum(-1) + p.detach().sum(-1) + 8)
    cost = 20 * focal + dice + 0.5 * local
    if balanced:
        inside = (excess * target).sum(-1) / (target.sum(-1) + 1)
        outside = (excess * (1 - target)).sum(-1) / ((1 - target).sum(-1) + 1)
        cost = cost + balanced * (inside + outside)
    with torch.no_grad():
        answer, truth = logits > 0, target > 0.5
        union = (answer | truth).sum(-1)
        iou = (answer & truth).sum(-1) / union.clamp(min=1)
    return cost, iou


def dense_losses(
    dense: tuple[Tensor, Tensor, Tensor], batch: Batch, generator: torch.Generator, pairs: int = 96
) -> dict[str, Tensor]:
    """Losses of the training-only heads: edges, colours, and whether two cells belong to one instance."""
    edges, colours, embedding = dense
    share = batch.edges.mean().clamp(0.02, 0.5)
    edge = F.binary_cross_entropy_with_logits(edges, batch.edges, pos_weight=(1 - share) / share * 0.5)
    colour = F.l1_loss(colours, F.avg_pool2d(batch.pixels, 4))
    cells = torch.randint(batch.labels[0].numel(), (pairs,), generator=generator, device=edges.device)
    vectors = embedding.flatten(2)[:, :, cells]  # (B, E, pairs)
    label = batch.labels.flatten(1)[:, cells]
    same = (label[:, None] == label[:, :, None]).float()
    distance = (vectors[:, :, None] - vectors[..., None]).square().sum(1)
    weight = same / same.mean().clamp(0.05, 0.95) + (1 - same) / (1 - same).mean().clamp(0.05, 0.95)
    affinity = F.binary_cross_entropy_with_logits(2 - distance, same, weight=0.5 * weight)
    return {"edges": edge, "colours": 0.5 * colour, "affinity": affinity}


def jitter(boxes: Tensor, generator: torch.Generator, most: float = 0.2) -> Tensor:
    """Move the corners of boxes (B, K, 4) by a random share of their sides; half of them stay tight."""
    sides = (boxes[..., 2:] - boxes[..., :2]).repeat(1, 1, 2)
    extent = most * torch.rand(boxes.shape[:2], generator=generator, device=boxes.device).sub(0.5).clamp(min=0).mul(2)
    noise = torch.rand(boxes.shape, generator=generator, device=boxes.device) * 2 - 1
    return boxes + noise * sides * extent[..., None]


def pick_points(batch: Batch, rows: slice, positives: int, negatives: int) -> tuple[Tensor, Tensor]:
    """Points (B, K, P, 2) and labels (B, K, P)."""
    points = torch.cat([batch.positives[:, rows, :positives], batch.negatives[:, rows, :negatives]], 2)
    labels = torch.ones(points.shape[:-1], device=points.device)
    labels[..., positives:] = 0
    return points, labels


def error_points(logits: Tensor, target: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """One point of each mask's error region, as a user would click: (B, K, 1, 2), labels (B, K, 1).

    Args:
        logits: (B, K, m, m).
        target: (B, K, m, m).
    """
    truth = target > 0.5
    wrong = ((logits > 0) != truth).float().flatten(0, 1).flatten(1) + 1e-6
    cell = torch.multinomial(wrong, 1, generator=generator)
    side = target.shape[-1]
    point = torch.cat([cell % side, cell // side], 1) * 4 + 1.5
    label = truth.flatten(0, 1).flatten(1).gather(1, cell).float()
    images, each = target.shape[:2]
    return point.reshape(images, each, 1, 2).float(), label.reshape(images, each, 1)
