from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from wesam.evaluation.average_precision import average_precision
from wesam.masks import encode_mask
from wesam.types import Instance, Sample


def square(id_: str, x: int, width: int = 10) -> Instance:
    mask = np.zeros((20, 60), dtype=bool)
    mask[5:15, x : x + width] = True
    return Instance(id_, rle=encode_mask(mask))


def image(*instances: Instance) -> Sample:
    return Sample("a.png", Path("a.png"), 60, 20, instances)


def test_all_found_and_one_wrong_of_low_score() -> None:
    truth = image(square("1", 0), square("2", 20))
    found = image(square("a", 0), square("b", 20), square("c", 45))
    judged = average_precision([found], {"a": 0.9, "b": 0.8, "c": 0.1}, [truth])
    assert (judged.ap, judged.ap50, judged.recall) == (pytest.approx(1), pytest.approx(1), pytest.approx(1))


def test_a_wrong_one_of_high_score_costs_precision() -> None:
    truth = image(square("1", 0), square("2", 20))
    found = image(square("a", 0), square("b", 20), square("c", 45))
    judged = average_precision([found], {"a": 0.5, "b": 0.4, "c": 0.9}, [truth])
    assert judged.ap50 == pytest.approx(2 / 3)  # 2 of the first 3 are right, and precision never rises with recall
    assert judged.recall == pytest.approx(1)


def test_stricter_ious_are_missed() -> None:
    # IoU 10 / 16 = 0.625: right at 0.5, 0.55 and 0.6 of ten thresholds.
    judged = average_precision([image(square("a", 0, 16))], {"a": 1.0}, [image(square("1", 0))])
    assert judged.ap50 == pytest.approx(1)
    assert (judged.ap, judged.recall) == (pytest.approx(0.3), pytest.approx(0.3))


def test_nothing_found_and_nothing_there() -> None:
    nothing = average_precision([image()], {}, [image(square("1", 0))])
    assert (nothing.ap, nothing.recall) == (0, 0)
    assert math.isnan(average_precision([image()], {}, [image()]).ap)
