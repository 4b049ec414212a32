from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import wesam
from tests.tiny import FAMILIES, tiny_segmenter
from wesam.errors import WesamError
from wesam.evaluation.predict import predict_image
from wesam.masks import encode_mask
from wesam.predictor import Predictor
from wesam.types import Instance

IMAGE = np.random.default_rng(0).integers(0, 256, (45, 70, 3), dtype=np.uint8)
BOX = (10.0, 5.0, 50.0, 40.0)


@pytest.mark.parametrize("family", FAMILIES)
def test_it_answers_as_the_command_does(family: str) -> None:
    segmenter = tiny_segmenter(family=family)
    instances = [Instance("1", box=BOX), Instance("2", points=((12.0, 30.0, 1), (60.0, 8.0, 0)))]
    expected = predict_image(segmenter, IMAGE, instances)
    predictor = Predictor(segmenter).set_image(IMAGE)
    box = predictor.predict(box=BOX)
    clicks = predictor.predict(points=[(12, 30), (60, 8)], labels=[1, 0])
    for answer, prediction in zip((box, clicks), expected, strict=True):
        assert answer.masks.shape == (1, 45, 70)
        assert encode_mask(answer.masks[0])["counts"] == prediction.rle["counts"]
        assert answer.scores[0] == pytest.approx(prediction.iou, abs=1e-4)
    again = predictor.predict(box=BOX, mask=box.logits[0])
    assert again.logits.shape == box.logits.shape == (1, 16, 16)
    assert not np.array_equal(again.logits, box.logits)
    several = predictor.predict(points=[(12, 30)], multimask_output=True)
    assert several.masks.shape == (3, 45, 70)
    assert list(several.scores) == sorted(several.scores, reverse=True)


def test_an_image_is_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    segmenter = tiny_segmenter()
    whole, calls = segmenter.encode, []
    monkeypatch.setattr(segmenter, "encode", lambda pixels: calls.append(1) or whole(pixels))
    predictor = Predictor(segmenter).set_image(Image.fromarray(IMAGE))
    first = predictor.predict(box=BOX)
    assert np.array_equal(predictor.predict(box=BOX).masks, first.masks)
    assert len(calls) == 1
    grey = predictor.set_image(IMAGE[..., 0]).predict(box=BOX)
    assert len(calls) == 2
    assert not np.array_equal(grey.logits, first.logits)


def test_it_loads_a_model_by_its_name(model_folder: Path) -> None:
    assert wesam.Predictor(model_folder, device="cpu").set_image(IMAGE).predict(box=BOX).masks.dtype == bool


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "expected points, a box or a mask"),
        ({"labels": [1], "box": BOX}, "labels: expected points"),
        ({"points": [(1, 2)], "labels": [1, 0]}, "one for each of 1 points, got 2"),
        ({"points": [(1, 2)], "labels": [3]}, "1 .on the object. or 0"),
        ({"points": [1, 2]}, r"points: expected finite numbers of shape \(N, 2\), got shape \(2,\)"),
        ({"points": [(70, 2)]}, "within the image of 70 x 45"),
        ({"box": (5, 5, 5, 9)}, "x0 < x1"),
        ({"box": (5, 5, float("nan"), 9)}, "box: expected finite"),
        ({"box": "all"}, "box: expected numbers"),
        ({"mask": np.zeros((45, 70))}, r"mask: expected finite numbers of shape \(16, 16\)"),
    ],
)
def test_what_cannot_be_asked_is_said(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(WesamError, match=message):
        Predictor(tiny_segmenter()).set_image(IMAGE).predict(**asked)


def test_an_image_comes_first() -> None:
    predictor = Predictor(tiny_segmenter())
    with pytest.raises(WesamError, match="call set_image"):
        predictor.predict(box=BOX)
    with pytest.raises(WesamError, match="type float64"):
        predictor.set_image(IMAGE / 255)
    with pytest.raises(ValueError, match="loaded already"):
        Predictor(tiny_segmenter(), adapter="runs/a/adapter")
