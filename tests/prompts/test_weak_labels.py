from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from wesam.errors import WesamError
from wesam.prompts.weak_labels import weak_labels
from wesam.types import Instance, Sample

MASK = np.zeros((40, 60), bool)
MASK[10:20, 30:50] = True
RLE = coco_mask.encode(np.asfortranarray(MASK.astype(np.uint8)))
WAVY_MASK = MASK.copy()
WAVY_MASK[9, 30:50:2] = True  # more corners than a simulated outline has
WAVY = coco_mask.encode(np.asfortranarray(WAVY_MASK.astype(np.uint8)))
EMPTY = coco_mask.encode(np.zeros((40, 60), np.uint8, order="F"))
BOX = (1.0, 2.0, 30.0, 31.0)
POINTS = ((5.0, 6.0, 1), (7.0, 8.0, 0))


def sample(*instances: Instance, id_: str = "a.png") -> Sample:
    return Sample(id_, Path(id_), 60, 40, instances)


def weak(instance: Instance, kind: str, seed: int = 0) -> Instance:
    (only,) = weak_labels(sample(instance), kind, seed).instances  # type: ignore[arg-type]
    return only


def labels(instance: Instance) -> tuple[bool, bool, bool]:
    return instance.box is not None, bool(instance.points), instance.rle is not None


@pytest.mark.parametrize(
    ("given", "kind", "expected"),
    [
        ({"box": BOX, "points": POINTS, "rle": RLE}, "auto", {"box": BOX, "points": POINTS}),
        ({"box": BOX, "rle": RLE}, "auto", {"box": BOX}),
        ({"points": POINTS, "rle": RLE}, "auto", {"points": POINTS}),
        ({"rle": RLE}, "auto", {"rle": RLE}),
        ({"box": BOX, "points": POINTS, "rle": RLE}, "box", {"box": BOX}),
        ({"points": POINTS, "rle": RLE}, "box", {"box": (30, 10, 50, 20)}),
        ({"box": BOX, "points": POINTS, "rle": RLE}, "point", {"points": POINTS}),
        ({"box": BOX, "points": POINTS, "rle": WAVY}, "mask", {"rle": WAVY}),
    ],
)
def test_only_what_the_kind_allows_is_kept(given: dict, kind: str, expected: dict) -> None:
    assert weak(Instance("7", category="cell", **given), kind) == Instance("7", category="cell", **expected)


def test_simulated_points_are_fixed_per_instance() -> None:
    first, second = Instance("1", box=BOX, rle=RLE), Instance("2", box=BOX, rle=RLE)
    alone = weak(first, "point")
    assert labels(alone) == (False, True, False)
    assert [label for _, _, label in alone.points] == [1] * 5 + [0] * 5
    assert all(MASK[int(y), int(x)] == label for x, y, label in alone.points)
    beside = weak_labels(sample(second, first), "point").instances
    assert beside[1] == alone
    assert beside[0].points != alone.points
    assert weak(first, "point", seed=1).points != alone.points
    assert weak_labels(sample(first, id_="b.png"), "point").instances[0].points != alone.points


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ({"points": POINTS}, "box", "a.png: instance 7: expected a box or a mask for the prompt 'box', got points"),
        ({"box": BOX}, "point", "a.png: instance 7: expected points or a mask"),
        ({"box": BOX, "points": POINTS}, "mask", "expected a mask .segmentation. .* got a box and points"),
    ],
)
def test_a_label_that_is_not_there_is_named(given: dict, kind: str, message: str) -> None:
    with pytest.raises(WesamError, match=message):
        weak(Instance("7", **given), kind)


@pytest.mark.parametrize("kind", ["auto", "box", "point", "mask"])
def test_instances_with_an_empty_mask_are_left_out(kind: str) -> None:
    given = sample(Instance("1", rle=EMPTY), Instance("2", rle=RLE))
    assert [instance.id for instance in weak_labels(given, kind).instances] == ["2"]  # type: ignore[arg-type]


def test_an_empty_mask_that_is_not_needed_costs_nothing() -> None:
    assert weak(Instance("1", box=BOX, rle=EMPTY), "box").box == BOX


def test_the_sample_keeps_the_rest() -> None:
    given = sample(Instance("1", box=BOX))
    assert weak_labels(given, "box") == given
