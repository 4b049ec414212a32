"""Scenes: the same arguments give the same pixels, and every mask is exact and can be seen."""

from importlib.util import find_spec

import numpy as np
import pytest

from wesam.errors import WesamError
from wesam.generated import FAMILIES, generate
from wesam.generated.canvas import Canvas, descendants, instance_masks
from wesam.generated.natural import _clad
from wesam.generated.robotic import _cast

DRAWABLE = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            name == "corrupted" and find_spec("imagecorruptions") is None, reason="needs the extra `bench`"
        ),
    )
    for name in sorted(FAMILIES)
]


@pytest.mark.parametrize("family", DRAWABLE)
def test_a_scene_is_its_arguments(family: str) -> None:
    first, again = generate(family, 3, 5, 128), generate(family, 3, 5, 128)
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.masks, again.masks)
    assert not np.array_equal(first.image, generate(family, 3, 6, 128).image)
    assert not np.array_equal(first.image, generate(family, 4, 5, 128).image)


@pytest.mark.parametrize("family", DRAWABLE)
def test_every_scene_has_instances_large_enough_to_ask_for(family: str) -> None:
    for index in range(6):
        scene = generate(family, 0, index, 128)
        assert scene.image.shape == (128, 128, 3)
        assert scene.image.dtype == np.uint8
        assert scene.masks.dtype == bool
        assert len(scene.masks) >= 1
        assert scene.masks.sum((1, 2)).min() >= 40


def test_an_unknown_family_is_refused_with_the_known_ones() -> None:
    with pytest.raises(WesamError, match="expected one of source, .*got 'martian'"):
        generate("martian", 0, 0)


def test_a_part_belongs_to_its_whole_and_hides_nothing_of_it() -> None:
    canvas, rng = Canvas(64), np.random.default_rng(0)
    whole, part = np.zeros((64, 64), np.uint8), np.zeros((64, 64), np.uint8)
    whole[10:40, 10:40] = 1
    part[30:50, 30:50] = 1  # sticks out: only what lies inside is painted
    colour = np.full(3, 0.5, np.float32)
    parent = canvas.paint(rng, whole, colour)
    child = canvas.paint(rng, part, colour, parent=parent)
    assert descendants(canvas.parents, parent) == [parent, child]
    masks = instance_masks(canvas.labels, canvas.parents)
    assert masks[0].sum() == 30 * 30
    assert masks[1].sum() == 10 * 10
    assert (masks[1] & ~masks[0]).sum() == 0


def test_what_lies_in_front_takes_the_pixels() -> None:
    canvas, rng = Canvas(64), np.random.default_rng(0)
    back, front = np.zeros((64, 64), np.uint8), np.zeros((64, 64), np.uint8)
    back[10:40, 10:40] = 1
    front[30:50, 30:50] = 1
    for mask in (back, front):
        canvas.paint(rng, mask, np.full(3, 0.5, np.float32))
    masks = instance_masks(canvas.labels, canvas.parents)
    assert masks[0].sum() == 30 * 30 - 10 * 10
    assert masks[1].sum() == 20 * 20
    assert not (masks[0] & masks[1]).any()


def test_a_hard_shadow_darkens_what_is_there_once_and_owns_nothing() -> None:
    canvas, mask = Canvas(64), np.zeros((64, 64), np.uint8)
    canvas.image[:] = 1.0
    mask[40:50, 20:30] = 1
    _cast(canvas, mask, np.array([10.0, -20.0]), dark=0.4)
    assert canvas.image[45, 25] == pytest.approx(0.6, abs=1e-3)
    assert canvas.image[25, 35] == pytest.approx(0.6, abs=1e-3)  # the far end
    assert canvas.image[35, 30] == pytest.approx(0.6, abs=1e-3)  # on the way
    assert canvas.image[[5, 60], [5, 5]] == pytest.approx(1.0)
    assert not canvas.labels.any()


def test_a_natural_thing_wears_two_of_the_scenes_colours() -> None:
    palette = np.array([[0.9, 0.1, 0.1], [0.1, 0.9, 0.1], [0.1, 0.1, 0.9]], np.float32)
    canvas = Canvas(128)
    _clad(np.random.default_rng(0), canvas, np.ones((128, 128), np.uint8), palette)
    hue = np.asarray(canvas.image / canvas.image.sum(-1, keepdims=True))
    near = np.abs(hue[..., None, :] - palette / palette.sum(1, keepdims=True)).max(-1) < 0.1
    assert sorted(near.mean((0, 1)) > 0.2) == [False, True, True]  # two of the three
