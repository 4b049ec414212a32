"""A plain transcription of the paper's training step (arXiv 2312.03502 and its public code): the yardstick.

Three separate full passes, image by image, in float32; every mask is upsampled to the encoder's input size and all
losses are computed there; numbers are read back after every step. Kept in benchmarks/ only.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import Tensor

from wesam.batches.batch import Batch
from wesam.models.segmenter import Segmenter
from wesam.updates.update import update_of


class PlainLoop:
    """The anchor is a second copy of the network, as in the public code."""

    def __init__(self, segmenter: Segmenter, learning_rate: float = 1e-4) -> None:
        self.segmenter = segmenter
        self.sam = segmenter.network
        self.family = segmenter.family
        self.input_size = segmenter.input_size
        with segmenter.anchor():
            self.anchor = copy.deepcopy(segmenter)
        self.optimiser = torch.optim.Adam(update_of(segmenter).parameters(), lr=learning_rate, weight_decay=1e-4)

    def forward(self, sam: torch.nn.Module, pixels: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """One image: features (1, C, g, g), masks (n, S, S), IoU (n,), low-resolution masks (n, m, m)."""
        features = self.family.encode(sam, pixels)
        sparse, dense = sam.prompt_encoder(
            input_points=None, input_labels=None, input_boxes=boxes[None], input_masks=None
        )
        finer = {"high_resolution_features": list(features.extra)} if features.extra else {}
        low, iou, *_ = sam.mask_decoder(
            image_embeddings=features.pooled,
            image_positional_embeddings=sam.get_image_wide_positional_embeddings(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=False,
            **finer,
        )
        low = low[0, :, 0]
        size = (self.input_size, self.input_size)
        return features.pooled, F.interpolate(low[:, None], size, mode="bilinear")[:, 0], iou[0, :, 0], low

    def step(self, batch: Batch) -> dict[str, float]:
        assert batch.prompts.boxes is not None
        device = batch.weak.device
        focal = dice = iou_loss = anchor_loss = contrastive = torch.zeros((), device=device)
        for image in range(len(batch)):
            boxes = batch.prompts.boxes[batch.image_index == image]
            weak, strong = batch.weak[image : image + 1], batch.strong[image : image + 1]
            with torch.no_grad(), self.anchor.anchor():
                anchor_features, anchor_masks, _, anchor_low = self.forward(self.anchor.network, weak, boxes)
            teacher_features, teacher_masks, _, teacher_low = self.forward(self.sam, weak, boxes)
            _, student_masks, student_iou, _ = self.forward(self.sam, strong, boxes)
            target, anchor = (teacher_masks > 0).float(), (anchor_masks > 0).float()
            focal = focal + self._focal(student_masks, target)
            dice = dice + self._dice(student_masks, target)
            anchor_loss = anchor_loss + 0.5 * (self._dice(student_masks, anchor) + self._dice(teacher_masks, anchor))
            hit = ((student_masks > 0) & (target > 0)).sum((1, 2)) / (
                ((student_masks > 0) | (target > 0)).sum((1, 2)) + 1e-7
            )
            iou_loss = iou_loss + F.mse_loss(student_iou, hit)
            contrastive = contrastive + self._contrastive(teacher_features, teacher_low, anchor_features, anchor_low)
        total = 20 * focal + dice + iou_loss + anchor_loss + contrastive
        total.backward()
        self.optimiser.step()
        self.optimiser.zero_grad()
        if device.type == "cuda":
            torch.cuda.empty_cache()
        parts = {"total": total, "focal": focal, "dice": dice, "iou": iou_loss, "contrastive": contrastive}
        return {name: part.item() for name, part in parts.items()}

    @staticmethod
    def _focal(logits: Tensor, target: Tensor) -> Tensor:
        p = logits.sigmoid()
        cross_entropy = F.binary_cross_entropy(p, target, reduction="none")
        p_true = p * target + (1 - p) * (1 - target)
        alpha = 0.8 * target + 0.2 * (1 - target)
        return (alpha * (1 - p_true) ** 2 * cross_entropy).mean()

    @staticmethod
    def _dice(logits: Tensor, target: Tensor) -> Tensor:
        p = logits.sigmoid().flatten(1)
        target = target.flatten(1)
        return (1 - (2 * (p * target).sum(1) + 1) / (p.sum(1) + target.sum(1) + 1)).mean()

    @staticmethod
    def _pooled(features: Tensor, low: Tensor) -> Tensor:
        masks = F.interpolate((low > 0).float()[:, None], features.shape[2:], mode="bilinear")
        return F.normalize((features * masks).sum((2, 3)) / (masks.sum((2, 3)) + 1e-7), dim=1)

    def _contrastive(
        self,
        teacher: Tensor,
        teacher_low: Tensor,
        anchor: Tensor,
        anchor_low: Tensor,
        temperature: float = 0.3,
    ) -> Tensor:
        similarity = self._pooled(teacher, teacher_low) @ self._pooled(anchor, anchor_low).T / temperature
        return -torch.log(similarity.diagonal().exp().sum() / similarity.exp().sum())
