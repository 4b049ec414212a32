import numpy as np
import pytest

from wesam.errors import WesamError
from wesam.evaluation.ground_truth import scorable, simulated_prompts, true_masks
from wesam.masks import encode_mask
from wesam.types import Instance


def test_a_label_without_a_mask_is_named(disc_samples):
    sample = disc_samples[0]
    bare = sample.with_instances([*sample.instances, Instance("lost", box=(0, 0, 2, 2))])
    with pytest.raises(WesamError, match=r"0\.png: instance lost: expected a mask"):
        true_masks(bare)


def test_empty_masks_are_left_out(disc_samples):
    sample = disc_samples[0]
    empty = Instance("empty", box=(0, 0, 2, 2), rle=encode_mask(np.zeros((64, 96), bool)))
    kept = scorable(sample.with_instances([empty, *sample.instances]))
    assert kept == sample


@pytest.mark.parametrize("kind", ["box", "point", "click", "mask"])
def test_every_object_is_asked_about_in_order_and_without_its_true_mask(disc_samples, kind):
    sample = disc_samples[2]
    weak = simulated_prompts(sample, kind, seed=0)
    assert [instance.id for instance in weak] == [instance.id for instance in sample.instances]
    assert not set(map(str, true_masks(sample))) & {str(instance.rle) for instance in weak}


def test_an_outline_made_from_the_truth_is_coarse(disc_samples):
    sample = disc_samples[0]
    for outline, truth in zip(simulated_prompts(sample, "mask", seed=0), sample.instances, strict=True):
        assert outline.box is None
        assert not outline.points
        assert outline.mask().any()
        assert (outline.mask() != truth.mask()).any()


def test_a_prompt_that_could_be_the_true_mask_is_refused(disc_samples):
    with pytest.raises(WesamError, match="expected box, point, click, mask"):
        simulated_prompts(disc_samples[0], "auto", seed=0)


def test_the_mask_is_what_prompts_are_made_from_whatever_lies_beside_it(disc_samples):
    sample = disc_samples[0]
    bare = sample.with_instances([Instance(i.id, rle=i.rle) for i in sample.instances])
    moved = sample.with_instances(
        [Instance(i.id, rle=i.rle, box=(0, 0, 3, 3), points=((1.0, 1.0, 1),)) for i in sample.instances]
    )
    for kind in ("box", "point", "click", "mask"):
        assert simulated_prompts(moved, kind, seed=0) == simulated_prompts(bare, kind, seed=0)


def test_a_click_is_one_positive_pixel_of_the_mask_drawn_anew_for_each_seed_and_object(disc_samples):
    sample = disc_samples[2]
    drawn = {}
    for seed in range(40):
        for instance, truth in zip(simulated_prompts(sample, "click", seed), sample.instances, strict=True):
            ((x, y, label),) = instance.points
            assert (instance.box, instance.rle, label) == (None, None, 1)
            assert truth.mask()[int(y), int(x)]
            drawn.setdefault(instance.id, set()).add((x, y))
    assert min(map(len, drawn.values())) > 25  # of 40
    assert simulated_prompts(sample, "click", 0) == simulated_prompts(sample, "click", 0)
