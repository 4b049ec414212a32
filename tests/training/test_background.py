"""A model that learned one object an image still answers what is under a prompt elsewhere, as it must."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import wesam
from wesam.adaptation import adapt
from wesam.evaluation.evaluate import evaluate
from wesam.generated.coco import write_coco
from wesam.labels.coco import read_coco
from wesam.predictor import Predictor
from wesam.types import Sample

IMAGES, SIDE = 6, 128
# Of a mean over some thirty objects of few images, and of as many clicks.
SLACK = 0.05


def one_object_each(folder: Path) -> tuple[Path, list[Sample]]:
    """A pack of scenes: boxes of the largest object of each, and all other objects, which are background then."""
    write_coco("natural", folder, IMAGES, split="train", size=SIDE)
    coco = json.loads((folder / "weak_train.json").read_text())
    truth = read_coco(folder / "instances_train.json", folder / "images").samples
    largest = {max(sample.instances, key=lambda one: int(one.mask().sum())).id for sample in truth}
    coco["annotations"] = [entry for entry in coco["annotations"] if str(entry["id"]) in largest]
    assert len(coco["annotations"]) == IMAGES
    labels = folder / "one.json"
    labels.write_text(json.dumps(coco))
    others = [sample.with_instances([one for one in sample.instances if one.id not in largest]) for sample in truth]
    return labels, others


@dataclass
class Clicks:
    """On bare background: how often the answer holds the click, and how often it is an object elsewhere."""

    hit: float
    stolen: float


def background_clicks(predictor: Predictor, truth: list[Sample]) -> Clicks:
    """Three clicks an image, far from all objects."""
    hits, stolen = [], []
    for sample in truth:
        predictor.set_image(Image.open(sample.path))
        masks = [one.mask() for one in sample.instances]
        free = cv2.distanceTransform((~np.any(masks, axis=0)).astype(np.uint8), cv2.DIST_L2, 3)
        rng = np.random.default_rng(0)
        ys, xs = np.nonzero(free > min(4.0, free.max() / 2))
        for place in rng.choice(len(ys), 3):
            x, y = int(xs[place]), int(ys[place])
            answer = predictor.predict(points=[[x, y]]).masks[0]
            hits.append(bool(answer[y, x]))
            overlaps = [(answer & mask).sum() / (answer | mask).sum() for mask in masks]
            stolen.append(max(overlaps) > 0.5)
    return Clicks(float(np.mean(hits)), float(np.mean(stolen)))


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(20, marks=[pytest.mark.slow, pytest.mark.timeout(600)]),
        pytest.param(1000, marks=[pytest.mark.full, pytest.mark.timeout(3600)]),
    ],
)
def test_prompts_on_the_background_return_what_is_under_them(tmp_path: Path, steps: int) -> None:
    labels, others = one_object_each(tmp_path / "pack")
    result = adapt(
        "wesam-edge",
        tmp_path / "pack" / "images",
        labels,
        tmp_path / "run",
        steps=steps,
        selection={"rule": "last"},
        health={"every": 0},
        checkpoint_every=steps,
        previews=0,
        trackers=(),
        device="cpu",
    )
    segmenter = wesam.load_segmenter("wesam-edge", result.adapter, device="cpu")
    scores = evaluate(segmenter, others, prompts=("box", "click"), trivial=False)
    for prompt, found in scores.prompts.items():
        source, adapted = (found.methods[name].miou for name in ("source", "adapted"))
        assert adapted >= source - SLACK, prompt
    truth = list(read_coco(tmp_path / "pack" / "instances_train.json", tmp_path / "pack" / "images").samples)
    adapted_clicks = background_clicks(Predictor(segmenter), truth)
    source_clicks = background_clicks(Predictor("wesam-edge", device="cpu"), truth)
    assert adapted_clicks.hit >= source_clicks.hit - 2 * SLACK
    assert adapted_clicks.stolen <= source_clicks.stolen + 2 * SLACK
