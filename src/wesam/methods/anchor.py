"""The anchor branch: the frozen source model on the weak view (WeSAM, arXiv 2312.03502, section 3)."""

from __future__ import annotations

import torch
from torch import Tensor

from wesam.batches.batch import Batch
from wesam.methods.anchor_cache import Anchor, AnchorCache
from wesam.methods.entries import Entries
from wesam.methods.mask_choice import MaskChoice, consistent_logits
from wesam.models.segmenter import Segmenter


class AnchorBranch:
    """Asks the source model, or remembers what it said.

    A resumed run starts with an empty cache, so an answer must have the same bits whether it is remembered or
    computed again, and in whatever batch. Kernels round differently for different batch sizes; therefore each
    image goes through the network alone, with all of its prompts, and an answer is kept under exactly those
    instances. (Kept under each instance, its bits would depend on which instances were asked for beside it;
    and the background is what *these* instances leave over.) So an image whose instances are drawn anew at
    every step is asked anew, at the price of a batch without a cache.

    Args:
        entries: what the contrastive loss compares.
        cache_bytes: memory for answers, on the CPU; 0 asks every time.
        mask_choice: which of SAM's answers counts: the single-mask output, or the one that fits the label best.
    """

    def __init__(self, entries: Entries, cache_bytes: int, mask_choice: MaskChoice = "single") -> None:
        self.entries = entries
        self.mask_choice = mask_choice
        self.cache = AnchorCache(cache_bytes)

    def __call__(self, segmenter: Segmenter, batch: Batch) -> Anchor:
        """The source model's answer to all prompts of a batch, without gradients: N masks, M entries."""
        answers = [self._image(segmenter, batch, image, rows) for image, rows in enumerate(batch.rows)]
        return Anchor(
            torch.cat([answer.masks for answer in answers]),
            _joined([(answer.z, len(answer.masks)) for answer in answers]),
            _joined([(answer.present, len(answer.masks)) for answer in answers]),
        )

    def _image(self, segmenter: Segmenter, batch: Batch, image: int, rows: slice) -> Anchor:
        key = (batch.keys[image], batch.instance_ids[rows])
        kept = self.cache.get(key, batch.weak.device)
        if kept is not None:
            return kept
        alone = torch.zeros_like(batch.image_index[rows])
        with segmenter.anchor(), torch.no_grad():
            features = segmenter.encode(batch.weak[image : image + 1])
            prompts = batch.prompts[rows]
            if self.mask_choice == "label":
                outlines = None if batch.outlines is None else batch.outlines[rows]
                logits = consistent_logits(segmenter, features, prompts, alone, outlines)
            else:
                logits = segmenter.decode(features, prompts, alone).logits
            masks = logits > 0
            z, present = self.entries.pool(features, masks, alone, batch.valid[image : image + 1])
        anchor = Anchor(masks, z, present)
        self.cache.put(key, anchor)
        return anchor


def _joined(parts: list[tuple[Tensor, int]]) -> Tensor:
    """In the order of `Entries`: the instances of all images, then the backgrounds of all images."""
    return torch.cat([part[:count] for part, count in parts] + [part[count:] for part, count in parts])
