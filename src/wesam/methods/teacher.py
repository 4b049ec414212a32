"""Who gives the pseudo-labels: what the teacher answers on the weak view, and how far its word is to be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from wesam.batches.batch import Batch
from wesam.losses.entropy import LN2, bernoulli_entropy
from wesam.losses.reduce import membership
from wesam.methods.branches import Branches, Taught
from wesam.methods.ema import EmaAdapter
from wesam.methods.formulation import Formulation
from wesam.methods.mask_choice import consistent_logits
from wesam.methods.regions import tight_boxes
from wesam.methods.trust import trust
from wesam.models.features import Features
from wesam.models.segmenter import Segmenter
from wesam.types import Prompts

# ReSAM's (arXiv 2511.21606): p (1 - H) above which a cell is sure, H the entropy as a fraction of ln 2.
_SURE = 0.3


@dataclass(frozen=True)
class Teacher:
    """Gives pseudo-labels without a graph.

    Attributes:
        ema: the average that teaches; None where the student's own weights do.
        formulation: which of the decoder's masks count, whether clicks ask again, and what makes an answer trusted.
    """

    ema: EmaAdapter | None
    formulation: Formulation

    def __call__(self, branches: Branches, batch: Batch) -> Taught:
        if self.ema is None:
            # With its graph, which others need, before the gradients go.
            logits = branches.student_weak.logits if self.formulation.mask_choice == "single" else None
            features = branches.features_weak
            with torch.no_grad():
                return self._taught(branches, batch, features.detach(), None if logits is None else logits.detach())
        with self.ema.teaching(branches.segmenter), torch.no_grad():
            return self._taught(branches, batch, branches.segmenter.encode(batch.weak), None)

    def _taught(self, branches: Branches, batch: Batch, features: Features, logits: Tensor | None) -> Taught:
        """With the teacher's weights in place.

        Args:
            branches, batch: as for a call.
            features: the teacher's, of the weak view.
            logits: (N, m, m), what it answers to the labels, where that is known.
        """
        if logits is None:
            logits = self._answer(features, batch.prompts, branches.segmenter, batch)
        sure, found = None, None
        if self.formulation.clicks_ask_again and (bare := clicked(batch.prompts)).any():
            logits, sure, found = self._ask_again(logits, bare, features, branches.segmenter, batch)
        trusted = trust(self.formulation.trust, branches, features, batch, logits > 0)
        if found is not None:
            trusted = found.float() if trusted is None else found * trusted
        return Taught(logits, trusted, sure)

    def _answer(self, features: Features, prompts: Prompts, segmenter: Segmenter, batch: Batch) -> Tensor:
        """(N, m, m) logits of the mask that counts."""
        if self.formulation.mask_choice == "single":
            return segmenter.decode(features, prompts, batch.image_index).logits
        return consistent_logits(segmenter, features, prompts, batch.image_index, batch.outlines)

    def _ask_again(
        self, logits: Tensor, bare: Tensor, features: Features, segmenter: Segmenter, batch: Batch
    ) -> tuple[Tensor, Tensor, Tensor]:
        """For objects that have nothing but clicks the mask that the box of their mask gives.

        Args:
            logits: (N, m, m), the teacher's answer to the labels.
            bare: (N,) bool, which objects these are.

        Returns:
            (N, m, m) logits; (N, m, m) bool, cells that count; (N,) bool, objects of which anything was sure.
        """
        index, images = batch.image_index, len(batch)
        kept = (logits > 0) & sure_cells(logits) & ~shared_cells(logits > 0, index, images) & (batch.valid[index] > 0)
        found = ~bare | kept.flatten(1).any(1)
        prompts = Prompts(boxes=tight_boxes(kept) * (segmenter.input_size / segmenter.mask_grid))
        again = self._answer(features, prompts, segmenter, batch)
        logits = torch.where((bare & found)[:, None, None], again, logits)
        counted = sure_cells(logits) & ~shared_cells(logits > 0, index, images)
        return logits, counted | ~bare[:, None, None], found


def clicked(prompts: Prompts) -> Tensor:
    """(N,) bool: prompts that are nothing but points."""
    parts = [part.flatten(1)[:, 0].isnan() for part in (prompts.boxes, prompts.masks) if part is not None]
    if prompts.points is None:
        return torch.zeros(len(prompts), dtype=torch.bool, device=parts[0].device)
    return torch.stack([*parts, torch.ones_like(prompts.points[:, 0, 0], dtype=torch.bool)]).all(0)


def sure_cells(logits: Tensor) -> Tensor:
    """(N, m, m) bool: cells that are surely on the object or surely off it."""
    p = logits.float().sigmoid()
    return torch.maximum(p, 1 - p) * (1 - bernoulli_entropy(logits) / LN2) > _SURE


def shared_cells(masks: Tensor, image_index: Tensor, images: int) -> Tensor:
    """(N, m, m) bool: cells that several objects of an image claim.

    Args:
        masks: (N, m, m) bool.
        image_index: (N,) int64.
        images: B.
    """
    counts = membership(image_index, images).float() @ masks.flatten(1).float()  # (B, m m)
    return counts[image_index].reshape(masks.shape) > 1
