import numpy as np
import pytest
import torch

from tests.tiny import tiny_segmenter
from wesam.errors import WesamError
from wesam.evaluation.evaluate import evaluate
from wesam.masks import encode_mask
from wesam.types import Instance
from wesam.updates.lora import LoraSettings
from wesam.updates.update import add_update, update_of


@pytest.fixture
def adapted():
    """A random SAM whose adapter changes its answers."""
    segmenter = tiny_segmenter()
    add_update(segmenter, LoraSettings(), seed=0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in update_of(segmenter).parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator))
    return segmenter


BOX = {"prompts": ["box"]}


def test_a_model_without_an_adapter_is_the_source(brightness, disc_samples):
    found = evaluate(brightness, disc_samples, **BOX)
    assert list(found.prompts) == ["box"]
    assert found.first.judged == "source"
    methods = found.first.methods
    assert list(methods) == ["source", "box", "ellipse", "grabcut"]
    assert methods["source"].miou > 0.85
    assert methods["box"].miou == pytest.approx(np.pi / 4, abs=0.03)
    assert methods["ellipse"].miou > 0.95
    assert methods["grabcut"].miou > 0.95
    assert found.first.difference is None
    assert (found.instances, found.images) == (6, 3)


def test_scores_are_the_means_of_the_rows(brightness, disc_samples):
    found = evaluate(brightness, disc_samples, boundary=True, **BOX).first
    for method, score in found.methods.items():
        assert score.miou == pytest.approx(np.mean([row.iou[method] for row in found.images]))
        assert score.dice == pytest.approx(np.mean([row.dice[method] for row in found.images]))
        assert score.boundary_iou == pytest.approx(np.mean([row.boundary_iou[method] for row in found.images]))
    assert evaluate(brightness, disc_samples, **BOX).first.methods["source"].boundary_iou is None


def test_an_adapter_is_scored_beside_its_source_from_the_same_prompts(adapted, disc_samples):
    found = evaluate(adapted, disc_samples, prompts=["point"], trivial=False).first
    assert list(found.methods) == ["source", "adapted"]
    source = evaluate(tiny_segmenter(), disc_samples, prompts=["point"], trivial=False).first
    assert found.methods["source"] == source.methods["source"]
    assert found.methods["adapted"] != found.methods["source"]
    assert found.difference is not None
    assert found.difference.difference == pytest.approx(found.methods["adapted"].miou - found.methods["source"].miou)
    assert list(evaluate(adapted, disc_samples, compare_source=False, trivial=False).first.methods) == ["adapted"]


@pytest.mark.parametrize("tile", [None, 48])
def test_all_prompts_in_one_run_are_as_each_alone_and_encode_once(adapted, disc_samples, tile, monkeypatch):
    encoded = []
    encode = type(adapted).encode
    monkeypatch.setattr(type(adapted), "encode", lambda self, pixels: encoded.append(1) or encode(self, pixels))
    kinds = ("box", "point", "click", "mask")
    settings = {"trivial": False, "compare_source": False, "tile": tile, "overlap": 24}
    together = evaluate(adapted, disc_samples, prompts=kinds, **settings)
    count = len(encoded)
    assert list(together.prompts) == list(kinds)
    for kind in kinds:
        encoded.clear()
        assert together.prompts[kind] == evaluate(adapted, disc_samples, prompts=[kind], **settings).first
    if tile is None:
        assert count == len(disc_samples)


def test_the_same_seed_gives_the_same_evaluation(adapted, disc_samples):
    first, second = (evaluate(adapted, disc_samples, prompts=["point", "click"], seed=3) for _ in range(2))
    assert first == second
    other = evaluate(adapted, disc_samples, prompts=["point", "click"], seed=4)
    for prompt in ("point", "click"):
        assert other.prompts[prompt].methods != first.prompts[prompt].methods


def test_trivial_masks_do_not_depend_on_the_prompt(adapted, disc_samples):
    found = evaluate(adapted, disc_samples, prompts=["box", "point"]).prompts
    for method in ("box", "ellipse", "grabcut"):
        assert found["box"].methods[method] == found["point"].methods[method]


@pytest.mark.parametrize(("prompts", "message"), [([], "at least one kind"), (["auto"], "got auto")])
def test_prompts_that_cannot_be_scored_are_refused(brightness, disc_samples, prompts, message):
    with pytest.raises(WesamError, match=message):
        evaluate(brightness, disc_samples, prompts=prompts)


def test_what_cannot_be_scored_is_counted(brightness, disc_samples):
    empty = Instance("empty", box=(1, 1, 5, 5), rle=encode_mask(np.zeros((64, 96), bool)))
    first = disc_samples[0].with_instances([empty, *disc_samples[0].instances])
    bare = disc_samples[1].with_instances([])
    seen = []
    found = evaluate(brightness, [first, bare], **BOX, on_image=lambda sample: seen.append(sample.id))
    assert (found.skipped_images, found.skipped_instances, found.instances) == (1, 1, 2)
    assert seen == ["0.png", "1.png"]


def test_nothing_to_score_is_an_error(brightness, disc_samples):
    with pytest.raises(WesamError, match="got 1 images without any"):
        evaluate(brightness, [disc_samples[0].with_instances([])])


def test_a_label_without_a_mask_ends_it_before_the_first_image(brightness, disc_samples):
    last = disc_samples[2].with_instances([Instance("lost", box=(0, 0, 2, 2))])
    with pytest.raises(WesamError, match="instance lost: expected a mask"):
        evaluate(brightness, [*disc_samples[:2], last])
    assert not brightness.decoded
