"""Objects that nobody pointed at: written as predictions, and scored."""

import json

import pytest

from tests.tiny import tiny_segmenter
from wesam.automatic.settings import AutomaticSettings
from wesam.errors import WesamError
from wesam.evaluation.automatic import score_found, score_prompts
from wesam.evaluation.evaluate import evaluate
from wesam.evaluation.found import find_objects, predict_found
from wesam.labels.check import load_samples

# A random network's masks lie all around the image.
LOOSE = AutomaticSettings(max_around=1, max_area=1, min_cells=1, grid={"points_per_side": 3})
NONE = AutomaticSettings(iou_threshold=99, grid={"points_per_side": 1})


def test_what_is_found_is_written_as_predictions_that_can_be_labels(disc_samples, tmp_path):
    seen = []
    path, found = predict_found(tiny_segmenter(), disc_samples, tmp_path / "out", LOOSE, on_image=seen.append)
    content = json.loads(path.read_text())
    assert len(seen) == len(content["images"]) == len(disc_samples)
    assert len(content["annotations"]) == len(found.scores) > 0
    assert {one["score"] for one in content["annotations"]} == {iou for iou, _ in found.scores.values()}
    assert len(list((tmp_path / "out" / "instances").rglob("*.png"))) == len(disc_samples)
    again, _ = load_samples(tmp_path / "images", path)
    assert sum(len(sample.instances) for sample in again) == len(found.scores)


def test_an_earlier_prediction_is_kept_before_any_work(disc_samples, tmp_path):
    (tmp_path / "predictions.json").write_text("corrected")
    with pytest.raises(WesamError, match="predictions that may hold corrections"):
        predict_found(tiny_segmenter(), disc_samples, tmp_path, LOOSE, on_image=lambda _: pytest.fail("worked"))


def test_recall_and_precision_are_of_what_is_found(disc_samples):
    segmenter = tiny_segmenter()
    found = find_objects(segmenter, disc_samples, LOOSE)
    score = score_found(segmenter, disc_samples, LOOSE)
    pairs = [
        score_prompts([i.rle for i in one.instances], [i.rle for i in true.instances])
        for one, true in zip(found.samples, disc_samples, strict=True)
    ]
    assert score.prompts == len(found.scores) == sum(pair.prompts for pair in pairs)
    assert (score.objects, score.found) == (6, sum(pair.found for pair in pairs))


def test_nothing_found_is_a_recall_of_nothing(disc_samples):
    score = score_found(tiny_segmenter(), disc_samples, NONE)
    assert (score.prompts, score.recall) == (0, 0)
    automatic = evaluate(tiny_segmenter(), disc_samples, prompts=["box"], trivial=False, automatic=NONE).automatic
    assert automatic["source"].precision is None
    assert (automatic["source"].recall, automatic["source"].objects) == (0, 6)
