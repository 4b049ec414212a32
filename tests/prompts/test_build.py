from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from tests.input_formats import padded
from wesam.frames.geometry import Geometry
from wesam.prompts.build import build_prompts
from wesam.prompts.coarse_mask import MaskFeeding
from wesam.types import Instance

GRID = 16
WHOLE = Geometry((0, 0, 120, 80), padded(64))


def instance(name: str = "1", box: tuple | None = None, points: tuple = (), mask: tuple | None = None) -> Instance:
    """`mask` is the box that the mask fills."""
    rle = None
    if mask is not None:
        canvas = np.zeros((80, 120), np.uint8, order="F")
        canvas[mask[1] : mask[3], mask[0] : mask[2]] = 1
        rle = coco_mask.encode(canvas)
    return Instance(name, box=box, points=points, rle=rle)


def test_boxes_alone_go_to_the_input_frame() -> None:
    prompts = build_prompts([instance(box=(0, 0, 120, 80)), instance(box=(30, 20, 60, 50))], WHOLE, GRID)
    assert prompts.points is None
    assert prompts.point_labels is None
    assert prompts.masks is None
    scale_y = 43 / 80  # SAM rounds the short side
    expected = torch.tensor([[0, 0, 64, 43], [16, 20 * scale_y, 32, 50 * scale_y]])
    torch.testing.assert_close(prompts.boxes, expected)


def test_points_are_padded_to_the_longest() -> None:
    clicks = ((30.0, 20.0, 1), (60.0, 40.0, 0))
    prompts = build_prompts([instance(points=clicks), instance(points=clicks[1:])], WHOLE, GRID)
    assert prompts.boxes is None
    assert prompts.point_labels.tolist() == [[1, 0], [0, -1]]
    assert prompts.point_labels.dtype == torch.int64
    torch.testing.assert_close(prompts.points[0], WHOLE.points(torch.tensor([[30.0, 20.0], [60.0, 40.0]])))
    torch.testing.assert_close(prompts.points[1, 0], prompts.points[0, 1])


def test_masks_become_sure_logits_on_the_grid() -> None:
    geometry = Geometry((0, 0, 80, 80), padded(64))  # a cell of the grid is 5 x 5 pixels
    logits = build_prompts([instance(mask=(10, 20, 40, 42))], geometry, GRID).masks
    assert logits.shape == (1, GRID, GRID)
    inside = torch.zeros(GRID, GRID, dtype=torch.bool)
    inside[4:8, 2:8] = True
    partly = torch.zeros_like(inside)
    partly[8, 2:8] = True  # 2 of 5 rows
    torch.testing.assert_close(logits[0][inside], torch.full((24,), 6.0))
    torch.testing.assert_close(logits[0][~inside & ~partly], torch.full((GRID**2 - 30,), -6.0))
    torch.testing.assert_close(logits[0][partly], torch.full((6,), 6 * (2 * 0.4 - 1)))


def test_a_mask_is_given_as_asked() -> None:
    given = [instance(mask=(10, 20, 40, 42)), instance(box=(0, 0, 10, 10))]
    default = build_prompts(given, WHOLE, GRID)
    assert default.points is None
    assert default.masks.isnan().flatten(1).all(1).tolist() == [False, True]
    torch.testing.assert_close(default.boxes[:1], WHOLE.boxes(torch.tensor([[10.0, 20, 40, 42]])))
    alone = build_prompts(given[:1], WHOLE, GRID, MaskFeeding(box=False))
    assert (alone.boxes, alone.points) == (None, None)
    clicked = build_prompts(given, WHOLE, GRID, MaskFeeding(logits=False, box=False, centre=True))
    assert clicked.masks is None
    assert clicked.point_labels.tolist() == [[1], [-1]]


def test_each_instance_uses_all_it_has_and_lacks_the_rest() -> None:
    prompts = build_prompts(
        [
            instance(box=(0, 0, 10, 10)),
            instance(points=((5.0, 5.0, 1),)),
            instance(mask=(10, 10, 20, 20)),
            instance(box=(0, 0, 10, 10), points=((5.0, 5.0, 1),), mask=(10, 10, 20, 20)),
        ],
        WHOLE,
        GRID,
    )
    assert (~prompts.boxes.isnan().any(1)).tolist() == [True, False, True, True]  # a mask brings its box
    assert (prompts.point_labels >= 0).any(1).tolist() == [False, True, False, True]
    assert (~prompts.masks.isnan().flatten(1).any(1)).tolist() == [False, False, True, True]
    assert not prompts.points.isnan().any()


def test_the_crop_clips_boxes_and_drops_points() -> None:
    crop = Geometry((40, 20, 80, 60), padded(40))  # scale 1
    clicks = ((39.9, 30.0, 0), (40.0, 20.0, 1), (79.0, 59.0, 1), (80.0, 30.0, 0), (50.0, 60.0, 0))
    prompts = build_prompts([instance(box=(30, 30, 90, 50), points=clicks, mask=(0, 0, 50, 30))], crop, 40)
    torch.testing.assert_close(prompts.boxes, torch.tensor([[0.0, 10.0, 40.0, 30.0]]))
    torch.testing.assert_close(prompts.points, torch.tensor([[[0.0, 0.0], [39.0, 39.0]]]))
    assert (prompts.masks[0] > 0).sum() == 100


@pytest.mark.parametrize(
    "outside",
    [instance("7", box=(0, 0, 40, 30)), instance("7", points=((10.0, 10.0, 1),)), instance("7", mask=(0, 0, 40, 80))],
    ids=["box", "points", "mask"],
)
def test_nothing_inside_the_crop_is_a_bug_of_the_caller(outside: Instance) -> None:
    inside = instance("1", box=(50, 30, 60, 40))
    with pytest.raises(ValueError, match=r"instance 7: expected a label inside the crop \(40, 20, 80, 60\)"):
        build_prompts([inside, outside], Geometry((40, 20, 80, 60), padded(40)), GRID)


def test_one_label_inside_the_crop_is_enough() -> None:
    both = instance(box=(0, 0, 10, 10), points=((50.0, 30.0, 1),), mask=(0, 0, 10, 10))
    prompts = build_prompts([both], Geometry((40, 20, 80, 60), padded(40)), GRID)
    assert prompts.boxes is None
    assert prompts.masks is None
    assert prompts.point_labels.tolist() == [[1]]


def test_no_instance() -> None:
    with pytest.raises(ValueError, match="at least one instance"):
        build_prompts([], WHOLE, GRID)


@given(st.data(), st.booleans(), st.booleans())
def test_box_points_and_mask_of_one_object_agree_in_every_view(
    data: st.DataObject, horizontal: bool, vertical: bool
) -> None:
    x0, y0 = data.draw(st.integers(0, 100)), data.draw(st.integers(0, 60))
    x1, y1 = data.draw(st.integers(x0 + 8, 120)), data.draw(st.integers(y0 + 8, 80))
    left, top = data.draw(st.integers(0, x0)), data.draw(st.integers(0, y0))
    right, bottom = data.draw(st.integers(x1, 120)), data.draw(st.integers(y1, 80))
    view = Geometry((left, top, right, bottom), padded(256), horizontal, vertical)
    x, y = data.draw(st.integers(x0, x1 - 1)), data.draw(st.integers(y0, y1 - 1))

    prompts = build_prompts([instance(box=(x0, y0, x1, y1), points=((x, y, 1),), mask=(x0, y0, x1, y1))], view, 64)
    bx0, by0, bx1, by1 = prompts.boxes[0].tolist()
    px, py = prompts.points[0, 0].tolist()
    assert bx0 - 1.001 <= px <= bx1  # a pixel's index is half a pixel off its centre, mirrored or not
    assert by0 - 1.001 <= py <= by1
    rows, columns = (prompts.masks[0] > 0).nonzero().unbind(1)
    if len(rows):  # cells are 4 pixels wide
        assert columns.min() * 4 >= bx0 - 4
        assert (columns.max() + 1) * 4 <= bx1 + 4
        assert rows.min() * 4 >= by0 - 4
        assert (rows.max() + 1) * 4 <= by1 + 4
    cells = (prompts.masks[0] / 12 + 0.5).sum() * 16  # the share of each cell, of 4 x 4 pixels
    area = (bx1 - bx0) * (by1 - by0)
    assert cells == pytest.approx(area, rel=0.02, abs=0.002 * 256**2)
