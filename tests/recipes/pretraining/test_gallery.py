"""Pictures of families."""

import numpy as np

from recipes.pretraining.gallery import gallery, outline


def test_a_gallery_has_two_rows_a_family() -> None:
    assert gallery(["robotic", "medical"], columns=2, tile=32).shape == (4 * 32, 2 * 32, 3)


def test_an_outline_marks_the_rim_and_leaves_the_picture_alone() -> None:
    image, mask = np.zeros((32, 32, 3), np.uint8), np.zeros((1, 32, 32), bool)
    mask[0, 8:24, 8:24] = True
    drawn = outline(image, mask)
    assert drawn[8, 8].any()
    assert not drawn[16, 16].any()
    assert not image.any()
