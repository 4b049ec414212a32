"""L_con: features under the teacher's masks against the source model's (WeSAM, arXiv 2312.03502, section 3)."""

from __future__ import annotations

from torch import Tensor

from wesam.batches.batch import Batch
from wesam.losses.contrastive import contrastive_loss
from wesam.methods.branches import Branches
from wesam.methods.entries import Entries

TEMPERATURE = 0.3  # the paper's tau


def contrast(branches: Branches, batch: Batch, entries: Entries, cross_image_negatives: bool) -> Tensor:
    """(B,) one value an image: objects with the background (`Entries`), negatives as of `losses.contrastive`."""
    index = batch.image_index
    z, present = entries.pool(branches.features_weak, branches.pseudo_labels, index, batch.valid)
    return contrastive_loss(
        z,
        branches.anchor.z,
        present & branches.anchor.present,
        entries.image_index(index, len(batch)),
        len(batch),
        temperature=TEMPERATURE,
        cross_image_negatives=cross_image_negatives,
    )
