from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco_mask

from wesam.prompts.coarse_mask import (
    MaskFeeding,
    cover_logits,
    deepest_point,
    signed_distance,
    visible_cover,
    with_derived_labels,
)
from wesam.types import Instance


def instance(box: tuple | None = None, points: tuple = (), filled: tuple = (10, 20, 31, 27)) -> Instance:
    mask = np.zeros((40, 60), np.uint8, order="F")
    mask[filled[1] : filled[3], filled[0] : filled[2]] = 1
    return Instance("1", box=box, points=points, rle=coco_mask.encode(mask))


def test_box_and_centre_are_those_of_the_mask() -> None:
    derived = with_derived_labels(instance(), MaskFeeding(box=True, centre=True))
    assert derived.box == (10, 20, 31, 27)
    ((x, y, label),) = derived.points
    assert (y, label) == (23, 1)
    assert 13 <= x <= 27


def test_a_users_own_labels_go_first_and_nothing_is_derived_unasked() -> None:
    own = instance(box=(0, 0, 5, 5), points=((1.0, 1.0, 0),))
    assert with_derived_labels(own, MaskFeeding(centre=True)) == own
    assert with_derived_labels(instance(), MaskFeeding(box=False)) == instance()
    empty = instance(filled=(0, 0, 0, 0))
    assert with_derived_labels(empty, MaskFeeding(centre=True)) == empty
    boxed = Instance("1", box=(0, 0, 5, 5))
    assert with_derived_labels(boxed, MaskFeeding(centre=True)) == boxed


@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)).filter(np.any))
def test_no_pixel_is_deeper_than_the_deepest(mask: np.ndarray) -> None:
    padded = np.pad(mask, 1)
    outside = np.argwhere(~padded) - 1

    def depth(x: float, y: float) -> float:
        return float(np.hypot(*(outside - (y, x)).T).min())

    x, y, label = deepest_point(mask)
    assert label == 1
    assert depth(x, y) == pytest.approx(max(depth(x, y) for y, x in np.argwhere(mask)), abs=1e-4)


def test_logits_are_linear_in_the_share_that_is_covered() -> None:
    cover = torch.tensor([[0.0, 0.25], [0.5, 1.0]])
    torch.testing.assert_close(cover_logits(cover, MaskFeeding(magnitude=4)), torch.tensor([[-4.0, -2.0], [0.0, 4.0]]))


def test_an_object_finer_than_the_grid_is_still_drawn() -> None:
    cover = torch.zeros(8, 8)
    cover[2, 3:5] = torch.tensor([0.2, 0.05])
    logits = cover_logits(cover, MaskFeeding(magnitude=6))
    assert logits[2, 3] == 6
    assert logits[2, 4] == -3
    assert (logits > 0).sum() == 1
    torch.testing.assert_close(visible_cover(torch.zeros(2, 2)), torch.zeros(2, 2))


def test_a_soft_border_keeps_the_middle_sure() -> None:
    cover = torch.zeros(16, 16)
    cover[4:12, 4:12] = 1
    soft = cover_logits(cover, MaskFeeding(magnitude=6, softness=1))
    assert soft[8, 8] > 5.9
    assert -6 < soft[3, 8] < 0 < soft[4, 8] < 6
    assert torch.equal(soft > 0, cover > 0) or (soft > 0).sum() == 60  # corners may be rounded off
    torch.testing.assert_close(soft, soft.flip(1))


@pytest.mark.parametrize("wrong", [{"logits": False, "box": False}, {"magnitude": 0}, {"softness": -1}])
def test_refuses_what_cannot_be(wrong: dict) -> None:
    with pytest.raises(ValueError, match="expected"):
        MaskFeeding(**wrong)


@given(hnp.arrays(bool, (7, 9)).filter(np.any))
def test_distances_to_the_border_have_the_right_side_and_size(mask: np.ndarray) -> None:
    distance = signed_distance(torch.from_numpy(mask).float())
    if mask.all():
        assert (distance == 7).all()
        return
    for y, x in np.ndindex(*mask.shape):
        other = np.argwhere(mask != mask[y, x])
        nearest = float(np.hypot(*(other - (y, x)).T).min())
        assert float(distance[y, x]) == pytest.approx((nearest - 0.5) * (1 if mask[y, x] else -1), abs=1e-4)


def test_a_speck_has_a_distance_and_nothing_has_none() -> None:
    cover = torch.zeros(5, 5)
    assert signed_distance(cover).isnan().all()
    cover[2, 2] = 0.1
    assert signed_distance(cover)[2, 2] == 0.5
    assert signed_distance(cover)[2, 4] == -1.5
