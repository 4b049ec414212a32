"""What the teacher says: clicks that ask again by a box, and how far its masks are trusted."""

from __future__ import annotations

import math
from dataclasses import replace
from unittest.mock import patch

import pytest
import torch
from torch import Tensor

from tests.losses import oracles
from tests.methods.scenes import GRID, INPUT, adapted_segmenter, make_batch
from wesam.batches.batch import Batch
from wesam.losses.focal import focal_loss
from wesam.methods.branches import Branches, Taught
from wesam.methods.formulation import OURS, Formulation
from wesam.methods.teacher import Teacher, clicked, shared_cells, sure_cells
from wesam.methods.terms.self_training import focal
from wesam.methods.terms.student_prompt import weaker_prompts
from wesam.methods.wesam import Wesam, WesamSettings
from wesam.types import Prompts

SINGLE = replace(OURS, mask_choice="single")


def clicks() -> Batch:
    """A click on each of three objects; the third has a box, too."""
    points = torch.tensor([[[20.0, 20.0]], [[40.0, 30.0]], [[30.0, 40.0]], [[22.0, 12.0]]])
    boxes = torch.full((4, 4), torch.nan)
    boxes[2] = torch.tensor([20.0, 30.0, 44.0, 52.0])
    prompts = Prompts(boxes=boxes, points=points, point_labels=torch.ones(4, 1, dtype=torch.long))
    return replace(make_batch((3, 1)), prompts=prompts)


def taught(formulation: Formulation, batch: Batch, drift: float = 0.3) -> tuple[Taught, Branches]:
    segmenter = adapted_segmenter(drift=drift)
    branches = Branches(segmenter, batch, teacher=lambda one: Teacher(None, formulation)(one, batch))
    return branches.teacher, branches


def test_as_shipped_nothing_is_weighed_and_nobody_asks_again() -> None:
    found, branches = taught(OURS, clicks())
    assert (found.trust, found.sure) == (None, None)
    assert torch.equal(branches.trust, torch.ones(4))
    assert branches.target_weight is branches.weight


def test_the_box_of_what_is_sure_asks_again_for_objects_of_clicks_alone() -> None:
    batch = clicks()
    plain, _ = taught(SINGLE, batch)
    with patch("wesam.methods.teacher._SURE", 0.0):
        found, branches = taught(replace(SINGLE, clicks_ask_again=True), batch)
        kept = (plain.logits > 0) & sure_cells(plain.logits) & (batch.valid[batch.image_index] > 0)
        kept &= ~shared_cells(plain.logits > 0, batch.image_index, 2)
        assert found.sure is not None
        assert found.trust is not None
        for row, bare in enumerate((True, True, False, True)):
            logits = found.logits[row]
            if not bare:
                torch.testing.assert_close(logits, plain.logits[row])
                assert found.sure[row].all()
                assert found.trust[row] == 1
                continue
            assert found.trust[row] == float(kept[row].any())
            if not kept[row].any():
                continue
            rows, columns = kept[row].nonzero().unbind(1)
            edges = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            box = torch.tensor([[float(edge) * INPUT / GRID for edge in edges]])
            features = branches.segmenter.encode(batch.weak)
            image = batch.image_index[row : row + 1]
            asked = branches.segmenter.decode(features, Prompts(boxes=box), image).logits[0]
            torch.testing.assert_close(logits, asked, rtol=1e-3, atol=1e-3)


def test_sure_and_shared_cells_by_a_loop() -> None:
    logits = 3 * torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(0))
    sure, shared = sure_cells(logits), shared_cells(logits > 0, torch.tensor([0, 0, 1]), 2)
    for n in range(3):
        for y in range(4):
            for x in range(4):
                p = 1 / (1 + math.exp(-logits[n, y, x].item()))
                entropy = (-p * math.log(p) - (1 - p) * math.log(1 - p)) / math.log(2)
                assert sure[n, y, x] == (max(p, 1 - p) * (1 - entropy) > 0.3)
                both = n < 2 and bool((logits[:2, y, x] > 0).all())
                assert shared[n, y, x] == both
    assert 0 < sure.sum() < sure.numel()


def test_which_prompts_are_clicks_alone() -> None:
    assert clicked(clicks().prompts).tolist() == [True, True, False, True]
    assert not clicked(make_batch().prompts).any()


@pytest.mark.parametrize("signal", ["box", "clicks", "predicted_iou"])
def test_trust_is_how_other_prompts_lead_back_by_a_loop(signal: str) -> None:
    batch = make_batch((3, 1))
    found, branches = taught(replace(SINGLE, trust=(signal,)), batch)  # type: ignore[arg-type]
    masks = found.logits > 0
    assert found.trust is not None
    segmenter, features = branches.segmenter, branches.features_weak
    asked = batch.prompts if signal == "predicted_iou" else weaker_prompts((signal,), branches, batch, masks)  # type: ignore[arg-type]
    for row in range(4):
        answer = segmenter.decode(features, asked[row : row + 1], batch.image_index[row : row + 1])
        weight = batch.valid[batch.image_index[row]]
        expected = (
            min(max(answer.iou.item(), 0), 1)
            if signal == "predicted_iou"
            else oracles.iou(masks[row], answer.logits[0] > 0, weight)
        )
        assert found.trust[row].item() == pytest.approx(expected, abs=0.02)
    both, _ = taught(replace(SINGLE, trust=("box", "clicks")), batch)
    assert both.trust is not None
    assert ((both.trust >= 0) & (both.trust <= 1)).all()


def test_pseudo_labels_teach_as_far_as_they_are_trusted_and_true_masks_wholly() -> None:
    batch = make_batch((3, 1), masked=True)
    assert batch.masks is not None
    batch.masks[1:] = torch.nan
    sure = torch.zeros(4, GRID, GRID, dtype=torch.bool)
    sure[:, :8] = True
    answer = torch.randn(4, GRID, GRID, generator=torch.Generator().manual_seed(1))
    said = Taught(answer, trust=torch.tensor([0.5, 0.5, 0.0, 1.0]), sure=sure)
    branches = Branches(adapted_segmenter(), batch, teacher=lambda _: said)
    loss = focal(branches, batch, 0.5)
    weight = (sure * batch.valid[batch.image_index]).float()
    expected = focal_loss(branches.student_strong.logits, answer > 0, weight, 0.5)
    torch.testing.assert_close(loss[1:], torch.stack([expected[1] / 2, 0 * expected[2], expected[3]]))
    assert branches.trust.tolist() == [1, 0.5, 0, 1]
    assert branches.target_weight is not None
    assert torch.equal(branches.target_weight[0], batch.valid[0])


def test_a_step_with_all_of_it_has_finite_gradients() -> None:
    segmenter, batch = adapted_segmenter(), clicks()
    formulation = replace(OURS, clicks_ask_again=True, trust=("box", "clicks", "predicted_iou"))
    for teacher in ("ema", "shared"):
        method = Wesam(segmenter, WesamSettings(teacher=teacher), formulation)  # type: ignore[arg-type]
        total: Tensor = method(batch)["total"]
        total.backward()
        assert total.isfinite()
        assert all(p.grad is None or p.grad.isfinite().all() for p in segmenter.parameters())
