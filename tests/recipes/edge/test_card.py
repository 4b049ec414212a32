from __future__ import annotations

import numpy as np
import pytest

from recipes.edge.card import Answers, Measured, correcting_click, report, speed
from recipes.pretraining.probe import scenes
from tests.tiny import tiny_segmenter
from wesam.generated.canvas import Scene

_IMAGE = np.array([0, 0, 1])
_TRUE = np.array([[0.2, 0.4, 0.1], [0.6, 0.6, 0.9], [0.5, 0.8, 0.3]])
_PREDICTED = np.array([[0.3, 0.2, 0.9], [0.7, 0.6, 0.8], [0.45, 0.1, 0.2]])


def test_scores_are_means_over_images() -> None:
    answers = Answers(_IMAGE, _TRUE, _PREDICTED)
    assert answers.single == pytest.approx(100 * np.mean([0.4, 0.5]))
    assert answers.chosen == pytest.approx(100 * np.mean([(0.1 + 0.9) / 2, 0.5]))
    assert answers.best == pytest.approx(100 * np.mean([(0.4 + 0.9) / 2, 0.8]))
    assert answers.correlation == pytest.approx(np.corrcoef([0.3, 0.7, 0.45], [0.2, 0.6, 0.5])[0, 1])


def test_calibration_is_by_fifths_of_the_prediction() -> None:
    bins = list(Answers(_IMAGE, _TRUE, _PREDICTED).calibration())
    assert [n for n, _, _ in bins] == [1, 1, 1]
    assert [(p, t) for _, p, t in bins] == [(0.3, 0.2), (0.45, 0.5), (0.7, 0.6)]


def test_the_correcting_click_is_the_middle_of_the_largest_error() -> None:
    truth, answer = np.zeros((20, 30), bool), np.zeros((20, 30), bool)
    truth[2:9, 3:10] = True
    answer[12:15, 20:23] = True
    assert correcting_click(truth, answer) == (6, 5, 1)
    assert correcting_click(np.zeros_like(truth), answer) == (21, 13, 0)
    assert correcting_click(truth, truth) is None
    corner = np.zeros_like(truth)
    corner[:5, :5] = True  # at the border it is no deeper than elsewhere
    assert correcting_click(corner, np.zeros_like(truth)) == (2, 2, 1)


def test_every_table_is_filled() -> None:
    segmenter, test = tiny_segmenter(), scenes("source", 3_000_000, 2, 64)
    lines = "\n".join(report(segmenter, {"scenes": test})).splitlines()
    tables = [line for line in lines if line.startswith("| scenes")]
    assert len(tables) == 1 + 3 + 1
    numbers = [float(cell) for cell in tables[0].split("|")[2:-1]]
    assert len(numbers) == 11
    assert all(0 <= value <= 100 for value in numbers)
    assert numbers[3] <= numbers[4] >= numbers[2]  # the best of the outputs is at least the single one and the chosen
    assert all(value > 0 for value in speed(segmenter, test, prompts=2))


def test_swapped_features_are_another_images() -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    image[10:30, 10:40] = 255
    masks = np.zeros((1, 64, 64), bool)
    masks[0, 10:30, 10:40] = True
    test = [Scene(image, masks), Scene(255 - image, masks)]
    measured, segmenter = Measured(tiny_segmenter(), test), tiny_segmenter()
    turned = Measured(segmenter, test[::-1]).ask("box")
    swapped = measured.ask("box", "other")
    assert np.array_equal(swapped.true, turned.true)
    assert not np.array_equal(measured.ask("box", "zeros").predicted, swapped.predicted)
