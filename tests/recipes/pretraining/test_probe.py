"""The probe asks scenes in memory what `evaluation` asks images on disk, and must get the same answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recipes.pretraining import probe
from tests.tiny import tiny_sam
from wesam.automatic.cache import CandidateCache
from wesam.automatic.generate import automatic_prompts
from wesam.evaluation.automatic import PromptScore, score_prompts
from wesam.evaluation.embedding_swap import embedding_swap
from wesam.evaluation.evaluate import evaluate
from wesam.evaluation.ground_truth import true_masks
from wesam.generated.coco import write_coco
from wesam.generated.scenes import generate
from wesam.labels.check import load_samples
from wesam.models.segmenter import Segmenter


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pack")
    write_coco("medical", folder, 2, split="test", size=96)
    return folder


def test_the_scenes_of_a_pack_are_those_it_was_made_of(pack: Path) -> None:
    (scene,) = probe.pack_scenes(pack, 1)
    drawn = generate("medical", 0, 1_000_000, 96)
    np.testing.assert_array_equal(scene.image, drawn.image)
    np.testing.assert_array_equal(scene.masks, drawn.masks)


def test_it_scores_as_evaluation_does(pack: Path) -> None:
    segmenter = Segmenter(tiny_sam(seed=0), name="tiny")
    samples, _ = load_samples(pack / "images", pack / "instances_test.json")
    test = probe.pack_scenes(pack)
    swap = embedding_swap(segmenter, samples)
    found = [probe.evaluate(segmenter.network, test, swap=kind).miou for kind in ("right", "other", "zeros")]
    np.testing.assert_allclose(found, [100 * swap.own, 100 * swap.other, 100 * swap.zeros])
    assert len(set(found)) == 3
    scores = evaluate(segmenter, samples).prompts["box"].methods
    assert probe.trivial(test) == pytest.approx(
        {name: 100 * scores[name].miou for name in ("box", "ellipse", "grabcut")}
    )


def test_fewer_instances_and_other_prompts_are_other_questions(pack: Path) -> None:
    sam, test = tiny_sam(seed=0), probe.pack_scenes(pack)
    features = probe.embed(sam, test)
    answers = [
        probe.evaluate(sam, test, kind, most=most, features=features).miou
        for kind, most in (("box", None), ("box", 1), ("points", None), ("point", None))
    ]
    assert len(set(answers)) == 4


@pytest.mark.usefixtures("masks_everywhere")
def test_the_recall_of_automatic_prompts_is_that_of_the_pack(pack: Path, tmp_path: Path) -> None:
    segmenter = Segmenter(tiny_sam(seed=0), name="tiny")
    samples, _ = load_samples(pack / "images", pack / "instances_test.json")
    cache = CandidateCache(tmp_path, segmenter, probe.PROPOSALS.grid)
    found = automatic_prompts(segmenter, samples, cache, probe.PROPOSALS)
    scores = [
        score_prompts([i.rle for i in prompted.instances if i.rle], true_masks(sample))
        for prompted, sample in zip(found.samples, samples, strict=True)
    ]
    recall = probe.automatic_recall(segmenter.network, probe.pack_scenes(pack))
    assert recall == pytest.approx(100 * PromptScore.total(scores).recall)
