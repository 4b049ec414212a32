"""How terms make a total, where masks of some objects are known."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tests.methods.scenes import adapted_segmenter, make_batch
from wesam.batches.batch import Batch
from wesam.methods.branches import Branches
from wesam.methods.supervised import Supervised, SupervisedSettings
from wesam.methods.tent import Tent, TentSettings
from wesam.methods.term import Term, weighted_sum
from wesam.methods.wesam import Wesam, WesamSettings


def with_some_masks(*known: int) -> Batch:
    batch = make_batch((3, 1), masked=True)
    assert batch.masks is not None
    masks = torch.full_like(batch.masks, torch.nan)
    masks[list(known)] = batch.masks[list(known)]
    return replace(batch, masks=masks)


def ones(branches: Branches, batch: Batch) -> Tensor:
    return torch.ones(len(batch.prompts))


def test_each_object_is_taught_by_its_mask_or_by_the_method() -> None:
    batch, segmenter = with_some_masks(0, 3), adapted_segmenter()
    terms = (Term("weak", 2.0, "object", ones), Term("both", 1.0, "object", ones, with_masks=True))
    losses = weighted_sum(terms, Branches(segmenter, batch), batch)
    assert losses["weak"].item() == pytest.approx((2 / 3 + 0) / 2)  # the only object of the second image has a mask
    assert losses["both"].item() == 1
    truth = Supervised(segmenter, SupervisedSettings())(with_some_masks(0, 1, 2, 3))
    alone = {name: loss.item() for name, loss in Supervised(segmenter, SupervisedSettings())(batch).items()}
    for name in ("focal", "dice", "iou"):
        assert 0 < losses[f"mask_{name}"].item() < truth[name].item() * 2
        assert losses[f"mask_{name}"].item() == pytest.approx(alone[name])
    assert losses["total"].item() == pytest.approx(2 * 2 / 6 + 1 + alone["total"], rel=1e-5)


def test_a_batch_without_known_masks_teaches_as_if_there_were_none() -> None:
    weak, segmenter = make_batch((3, 1)), adapted_segmenter()
    without = Wesam(segmenter, WesamSettings())(weak)
    losses = Wesam(segmenter, WesamSettings())(with_some_masks())
    assert losses["total"].item() == pytest.approx(without["total"].item())
    assert {name for name in losses if name.startswith("mask_")} == {"mask_focal", "mask_dice", "mask_iou"}
    assert all(losses[name] == 0 for name in losses if name.startswith("mask_"))


@pytest.mark.parametrize("method", ["wesam", "tent"])
def test_where_all_masks_are_known_nothing_else_pulls(method: str) -> None:
    """Whatever the method: only WeSAM's student prompts go on, with the mask as their target."""
    batch, segmenter = with_some_masks(0, 1, 2, 3), adapted_segmenter()
    settings = WesamSettings(student_prompt_weight=0)
    learned = Wesam(segmenter, settings) if method == "wesam" else Tent(segmenter, TentSettings())
    total = learned(batch)["total"].item()
    assert total == pytest.approx(Supervised(segmenter, SupervisedSettings())(batch)["total"].item(), rel=1e-5)
