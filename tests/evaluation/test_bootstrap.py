import numpy as np
import pytest

from wesam.evaluation.bootstrap import paired_interval


def test_a_constant_difference_has_no_spread():
    found = paired_interval([0.1, 0.5, 0.9], [0.2, 0.6, 1.0])
    assert found.difference == pytest.approx(0.1)
    assert found.low == pytest.approx(0.1)
    assert found.high == pytest.approx(0.1)
    assert found.verdict == "better"


def test_interval_is_near_the_normal_one_and_repeats():
    rng = np.random.default_rng(3)
    first, noise = rng.uniform(size=200), rng.normal(0.02, 0.1, 200)
    found = paired_interval(first, first + noise, seed=1)
    error = noise.std(ddof=1) / np.sqrt(200)
    assert found.low == pytest.approx(noise.mean() - 1.96 * error, abs=error / 5)
    assert found.high == pytest.approx(noise.mean() + 1.96 * error, abs=error / 5)
    assert found == paired_interval(first, first + noise, seed=1)
    assert found != paired_interval(first, first + noise, seed=2)


@pytest.mark.parametrize(
    ("second", "verdict"),
    [([0.9, 0.8, 0.7], "better"), ([0.1, 0.2, 0.0], "worse"), ([0.9, 0.1, 0.5], "no different")],
)
def test_verdict_needs_the_whole_interval_on_one_side(second, verdict):
    assert paired_interval([0.5, 0.5, 0.5], second).verdict == verdict


def test_one_image_gives_no_interval_and_no_verdict():
    found = paired_interval([0.1], [0.9])
    assert (found.low, found.high, found.verdict) == (None, None, "unknown")


@pytest.mark.parametrize(("first", "second"), [([], []), ([0.1], [0.1, 0.2])])
def test_sequences_that_do_not_pair_are_refused(first, second):
    with pytest.raises(ValueError, match="equally long"):
        paired_interval(first, second)
