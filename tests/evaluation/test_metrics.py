import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from wesam.evaluation.metrics import Overlap, mask_overlap, mean_over_images
from wesam.masks import encode_mask

pairs = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda shape: st.tuples(hnp.arrays(bool, shape), hnp.arrays(bool, shape))
)


@given(pairs)
def test_scores_are_those_of_the_pixels(masks):
    predicted, true = masks
    found = mask_overlap(encode_mask(predicted), encode_mask(true))
    shared, union = (predicted & true).sum(), (predicted | true).sum()
    assert found.iou == pytest.approx(shared / union if union else 1)
    total = predicted.sum() + true.sum()
    assert found.dice == pytest.approx(2 * shared / total if total else 1)


def test_masks_of_two_sizes_are_refused():
    with pytest.raises(ValueError, match="one size"):
        mask_overlap(encode_mask(np.ones((4, 5), bool)), encode_mask(np.ones((5, 4), bool)))


@pytest.mark.parametrize(
    ("area", "size"),
    [(1, "small"), (1023, "small"), (1024, "medium"), (9215, "medium"), (9216, "large")],
)
def test_size_is_that_of_the_true_mask(area, size):
    assert Overlap(predicted=50_000, true=area, shared=1).size == size


def test_a_crowded_image_weighs_as_much_as_any_other():
    assert mean_over_images([[1.0], [0.0] * 99]) == 0.5
    assert mean_over_images([[1.0, 0.5], [], [0.25]]) == 0.5
    assert math.isnan(mean_over_images([[]]))
