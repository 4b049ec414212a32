"""The student is asked with less than the teacher, and is to give the same mask."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import pytest
import torch

from tests.methods.scenes import GRID, adapted_segmenter, make_batch
from wesam.losses.focal import focal_loss
from wesam.methods.branches import Branches, Taught
from wesam.methods.terms.student_prompt import StudentPrompt, student_prompt
from wesam.types import Prompts


def teacher(branches: Branches) -> Taught:
    """The first mask is a square, the second is empty, the others are all of the image."""
    logits = torch.full((4, GRID, GRID), 5.0)
    logits[0] = -5
    logits[0, 3:9, 3:9] = 5
    logits[1] = -5
    return Taught(logits)


@pytest.mark.parametrize(
    ("kind", "part"), [("clicks", "points"), ("corrective", "points"), ("box", "boxes"), ("mask", "masks")]
)
def test_the_weaker_prompt_alone_is_answered_with_the_teachers_mask(kind: StudentPrompt, part: str) -> None:
    batch, segmenter = make_batch((3, 1)), adapted_segmenter()
    branches = Branches(segmenter, batch, teacher=teacher)
    with patch.object(segmenter, "decode", wraps=segmenter.decode) as decode:
        loss = student_prompt(branches, batch, (kind,), scale=20, alpha=0.5)
    features, prompts, index = decode.call_args.args
    assert isinstance(prompts, Prompts)
    assert {name for name in ("boxes", "points", "masks") if getattr(prompts, name) is not None} == {part}
    assert features is branches.features_strong
    answer = segmenter.decode(features, prompts, index)
    expected = 20 * focal_loss(answer.logits, branches.pseudo_labels, branches.weight, 0.5)
    assert loss[1] == 0  # nothing to teach
    torch.testing.assert_close(loss[[0, 2, 3]], expected[[0, 2, 3]])
    assert loss[0] > 0


def test_a_true_mask_is_taught_in_the_pseudo_labels_place() -> None:
    batch, segmenter = make_batch((3, 1)), adapted_segmenter()
    masks = torch.full((4, GRID, GRID), torch.nan)
    masks[0] = 0
    masks[0, 8:12, 8:12] = 1
    branches = Branches(segmenter, replace(batch, masks=masks), teacher=teacher)
    assert branches.known.tolist() == [True, False, False, False]
    assert torch.equal(branches.target[0], masks[0] > 0.5)
    assert torch.equal(branches.target[1:], branches.pseudo_labels[1:])


def test_each_image_and_step_draws_one_of_the_kinds() -> None:
    batch, segmenter = make_batch((3, 1)), adapted_segmenter()
    seen = set()
    for seed in range(6):
        seeded = replace(batch, seeds=(seed, seed + 10))
        with patch.object(segmenter, "decode", wraps=segmenter.decode) as decode:
            student_prompt(Branches(segmenter, seeded, teacher=teacher), seeded, ("clicks", "box"), 20, 0.5)
        boxes = decode.call_args.args[1].boxes
        seen.add(boxes is None)
    assert seen == {True, False}


def test_what_is_drawn_for_an_image_depends_on_nothing_else_in_the_batch() -> None:
    batch, segmenter = make_batch((3, 1)), adapted_segmenter()
    kinds: tuple[StudentPrompt, ...] = ("clicks", "corrective", "box", "mask")
    for first in range(6):
        whole = replace(batch, seeds=(first, first + 10))
        expected = student_prompt(Branches(segmenter, whole, teacher=teacher), whole, kinds, 20, 0.5)
        parts = []
        for part, rows in zip(whole.split(2), whole.rows, strict=True):
            branches = Branches(segmenter, part, teacher=lambda one, rows=rows: Taught(teacher(one).logits[rows]))
            parts.append(student_prompt(branches, part, kinds, 20, 0.5))
        torch.testing.assert_close(torch.cat(parts), expected, rtol=1e-4, atol=1e-5)
