from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pycocotools import mask as coco_mask

from wesam.masks import encode_mask, mask_box, mask_window

MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=9))


@given(MASKS, st.sampled_from(["C", "F"]))
def test_what_is_encoded_is_decoded(mask: np.ndarray, order: str) -> None:
    rle = encode_mask(np.asarray(mask, order=order))
    assert rle["size"] == list(mask.shape)
    np.testing.assert_array_equal(coco_mask.decode(rle), mask)


@given(MASKS, *(st.integers(0, 3) for _ in range(4)))
def test_a_part_lies_where_it_belongs(mask: np.ndarray, left: int, top: int, right: int, bottom: int) -> None:
    whole = np.pad(mask, ((top, bottom), (left, right)))
    assert encode_mask(mask, size=whole.shape, corner=(left, top)) == encode_mask(whole)


@given(MASKS)
def test_window_and_box_hold_the_mask_and_no_more(mask: np.ndarray) -> None:
    window, box = mask_window(mask), mask_box(encode_mask(mask))
    ys, xs = mask.nonzero()
    if not len(ys):
        assert window is None
        assert box == (0, 0, 0, 0)
    else:
        assert window == (slice(ys.min(), ys.max() + 1), slice(xs.min(), xs.max() + 1))
        assert box == (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
