import numpy as np
import pytest

from wesam.evaluation.overlay import Panel, draw_panels
from wesam.masks import encode_mask
from wesam.types import Instance

GREY = 100


def picture(height, width):
    return np.full((height, width, 3), GREY, np.uint8)


def square(height, width, y0, y1, x0, x1):
    mask = np.zeros((height, width), bool)
    mask[y0:y1, x0:x1] = True
    return encode_mask(mask)


@pytest.mark.parametrize(
    ("shape", "panels"), [((20, 30), 4), ((900, 700), 3), ((40, 400), 2), ((300, 9), 2), ((1, 1), 1)]
)
def test_every_shape_of_image_gives_a_picture_of_a_sensible_size(shape, panels):
    drawn = draw_panels(picture(*shape), [Panel(f"panel {i}") for i in range(panels)])
    assert drawn.dtype == np.uint8
    assert 100 < max(drawn.shape) < 600 * panels
    grey = (drawn == GREY).all(-1).sum()
    scale = 512 / max(shape)
    assert grey == pytest.approx(panels * round(shape[0] * scale) * round(shape[1] * scale), rel=0.02)


def test_wide_images_stand_in_a_column():
    two = [Panel("a"), Panel("b")]
    row, column = draw_panels(picture(100, 150), two), draw_panels(picture(100, 250), two)
    assert row.shape[1] > row.shape[0]
    assert column.shape[1] < 600


def test_an_object_keeps_its_colour_from_panel_to_panel():
    height, width = 64, 64
    left, right = square(height, width, 10, 50, 4, 28), square(height, width, 10, 50, 36, 60)
    panels = [Panel("one", masks={"l": left, "r": right}), Panel("two", masks={"r": right})]
    drawn = draw_panels(picture(height, width), panels)
    scale, first, top = 8, 8, 34
    second = first + 512 + 8

    def colour(start, x, y):
        return tuple(drawn[top + y * scale, start + x * scale])

    assert colour(first, 48, 30) == colour(second, 48, 30)
    assert colour(first, 48, 30) != colour(first, 16, 30)
    assert colour(second, 16, 30) == (GREY,) * 3


def test_a_small_object_on_a_large_one_stays_visible():
    large, small = square(64, 64, 0, 64, 0, 64), square(64, 64, 24, 40, 24, 40)
    for order in ({"a": large, "b": small}, {"b": small, "a": large}):
        drawn = draw_panels(picture(64, 64), [Panel("p", masks=order)])
        assert tuple(drawn[34 + 32 * 8, 8 + 32 * 8]) != tuple(drawn[34 + 8 * 8, 8 + 8 * 8])


def test_an_object_that_shrinks_below_a_pixel_is_still_drawn():
    speck = square(3000, 3000, 1500, 1502, 1500, 1502)
    blank = draw_panels(picture(3000, 3000), [Panel("p")])
    assert (draw_panels(picture(3000, 3000), [Panel("p", masks={"a": speck})]) != blank).any()


def test_labels_of_every_kind_are_drawn():
    blank = draw_panels(picture(50, 50), [Panel("p")])
    kinds = [
        Instance("a", box=(10, 10, 30, 30)),
        Instance("a", points=((20, 20, 1),)),
        Instance("a", points=((20, 20, 0),)),
        Instance("a", rle=square(50, 50, 5, 20, 5, 20)),
    ]
    pictures = [draw_panels(picture(50, 50), [Panel.of_labels("p", [kind])]) for kind in kinds]
    for index, one in enumerate(pictures):
        for other in [blank, *pictures[:index]]:
            assert (one != other).any()


def test_objects_are_numbered_where_they_lie():
    labels = [
        Instance("box", box=(10, 10, 20, 30)),
        Instance("mask", rle=square(100, 100, 60, 80, 60, 80)),
        Instance("click", points=((20.0, 80.0, 1),)),
    ]
    plain, numbered = (draw_panels(picture(100, 100), [Panel.of_labels("", labels, n)]) for n in (False, True))
    ys, xs = (plain != numbered).any(-1).nonzero()
    places = {(int(x > 256 + 8), int(y > 256 + 34)) for x, y in zip(xs, ys, strict=True)}
    assert places == {(0, 0), (1, 1), (0, 1)}
