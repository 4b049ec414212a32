"""The shift at equal size, against sums written out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipes.pretraining import probe, shift
from recipes.pretraining.shift import Scored, at_sizes_of, by_octave, octave
from tests.tiny import tiny_sam
from wesam.evaluation.metrics import mean_over_images

_OBJECTS = st.lists(st.tuples(st.integers(-6, -1), st.floats(0, 1)), min_size=1, max_size=6)
_SCORED = st.lists(_OBJECTS, min_size=1, max_size=4).map(
    lambda images: Scored([[o for o, _ in image] for image in images], [[v for _, v in image] for image in images])
)


def test_octaves_are_relative_to_the_longest_side() -> None:
    assert [octave(side**2, 256) for side in (8, 15.9, 16, 127.9, 128, 255)] == [-5, -5, -4, -2, -1, -1]
    assert octave(32**2, 512) == octave(16**2, 256)


@given(_SCORED)
def test_at_its_own_sizes_the_source_has_its_own_score(scored: Scored) -> None:
    assert at_sizes_of(scored, scored) == pytest.approx(mean_over_images(scored.ious))


@given(_SCORED, _SCORED)
def test_only_the_sizes_of_the_family_count(family: Scored, source: Scored) -> None:
    found = at_sizes_of(family, source)
    assert found == pytest.approx(at_sizes_of(Scored(family.octaves, [[0.0] * len(v) for v in family.ious]), source))
    values = [v for image in source.ious for v in image]
    assert min(values) - 1e-9 <= found <= max(values) + 1e-9


def test_a_crowded_image_weighs_no_more_than_any() -> None:
    source = Scored([[-5, -5, -3], [-5]], [[0.1, 0.3, 0.9], [0.6]])
    shares = by_octave(source)
    assert shares[-5] == pytest.approx((1 / 3 + 1 / 2, (0.1 / 6 + 0.3 / 6 + 0.6 / 2) / (1 / 3 + 1 / 2)))
    assert shares[-3] == pytest.approx((1 / 6, 0.9))
    family = Scored([[-5], [-3, -3]], [[0.0], [0.0, 0.0]])
    assert at_sizes_of(family, source) == pytest.approx(0.5 * shares[-5][1] + 0.5 * 0.9)


def test_a_size_that_the_source_lacks_is_interpolated_and_beyond_the_last_one_held() -> None:
    source = Scored([[-5, -3]], [[0.2, 0.8]])
    for size, expected in ((-6, 0.2), (-4, 0.5), (-1, 0.8)):
        assert at_sizes_of(Scored([[size]], [[0.0]]), source) == pytest.approx(expected)


def test_a_line_gives_both_figures_and_their_difference() -> None:
    family = {name: Scored([[-2]], [[0.5]]) for name in ("box", "5+5 points")}
    source = {name: Scored([[-5, -2]], [[0.1, 0.75]]) for name in ("box", "5+5 points")}
    assert shift.line("fog 5", family, source) == "| fog 5 | 50.0 | 75.0 | -25.0 | 50.0 | 75.0 | -25.0 |"
    assert shift.line("", family, source).count("|") == shift.head().splitlines()[0].count("|")


def test_scores_are_those_of_the_probe() -> None:
    sam, test = tiny_sam(seed=0), probe.scenes("smear", 0, 2, 96)
    found = shift.score(sam, test)
    sides = [np.sqrt(mask.sum()) / 96 for mask in test[0].masks]
    assert [2.0**o <= side < 2.0 ** (o + 1) for o, side in zip(found["box"].octaves[0], sides, strict=True)] == [
        True
    ] * len(sides)
    for kind, name in (("box", "box"), ("points", "5+5 points")):
        expected = probe.evaluate(sam, test, kind).miou  # type: ignore[arg-type]
        assert 100 * mean_over_images(found[name].ious) == pytest.approx(expected)
