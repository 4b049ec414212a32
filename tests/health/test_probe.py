"""The probe on a tiny network, and which images it may look at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.conftest import ImageSet
from tests.methods.scenes import adapted_segmenter
from tests.tiny import tiny_segmenter
from wesam.batches.batch import Batch
from wesam.batches.dataset import ViewSettings
from wesam.health.probe import HealthProbe, HealthSettings, Signals, split_samples
from wesam.health.signals import SIGNAL_NAMES
from wesam.labels.check import load_samples
from wesam.methods.anchor_cache import Anchor
from wesam.models.segmenter import Segmenter
from wesam.types import Instance, Sample
from wesam.updates.lora import LoraSettings
from wesam.updates.update import add_update


def blank(count: int, bare: int = 0) -> list[Sample]:
    instances = (Instance("a", box=(0, 0, 4, 4)),)
    return [Sample(f"{n}.png", Path(f"{n}.png"), 8, 8, () if n < bare else instances) for n in range(count)]


@pytest.mark.parametrize(("count", "held"), [(19, 0), (20, 4), (60, 6), (400, 16)])
def test_a_share_is_held_back_within_its_limits(count: int, held: int) -> None:
    split = split_samples(blank(count), HealthSettings(), seed=3)
    assert split.held_back == (held > 0)
    assert len(split.health) == (held or 16)
    assert len(split.training) == count - held
    if held:
        assert not {sample.id for sample in split.health} & {sample.id for sample in split.training}
        assert split.words == f"{held} images held back from training"
    else:
        assert split.words == "16 images that are also trained on"


def test_the_split_is_the_seeds_alone_and_leaves_bare_images_to_training() -> None:
    samples = blank(60, bare=20)
    one, again, other = (split_samples(samples, HealthSettings(), seed) for seed in (1, 1, 2))
    assert one == again
    assert one.health != other.health
    assert all(sample.instances for sample in one.health)
    assert len(one.training) == 56


def test_the_order_in_which_a_file_lists_its_images_does_not_matter() -> None:
    samples = blank(60)
    assert split_samples(samples[::-1], HealthSettings(), 1) == split_samples(samples, HealthSettings(), 1)


def test_images_with_masks_to_learn_from_are_held_back_last() -> None:
    samples = blank(60)
    precious = {sample.id for sample in samples[:50]}
    assert not {sample.id for sample in split_samples(samples, HealthSettings(), 1, precious).health} & precious
    every = {sample.id for sample in samples}
    assert split_samples(samples, HealthSettings(), 1, every) == split_samples(samples, HealthSettings(), 1)


def test_nothing_is_held_back_where_nothing_is_measured() -> None:
    samples = sorted(blank(60), key=lambda sample: sample.id)
    assert split_samples(samples, HealthSettings(every=0), 0).training == samples


@pytest.fixture
def samples(image_set: ImageSet) -> list[Sample]:
    return load_samples(image_set.images, image_set.boxes)[0]


def probe(samples: list[Sample], images: int = 16, **views: object) -> HealthProbe:
    return HealthProbe(samples, tiny_segmenter(), ViewSettings.model_validate(views), seed=0, images=images)


def test_the_source_model_agrees_with_itself(samples: list[Sample]) -> None:
    segmenter = tiny_segmenter()
    add_update(segmenter, LoraSettings(rank=2), seed=0)
    signals = probe(samples).measure(segmenter)
    assert set(signals) == set(SIGNAL_NAMES)
    assert (signals["anchor_agreement"], signals["area_drift"]) == (1, 0)
    assert 0 < signals["flip_agreement"] < 1
    assert signals["feature_rank"] > 1


def test_a_source_model_that_finds_nothing_is_not_contradicted(
    samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter = adapted_segmenter(drift=0.5)
    measured = probe(samples, images=4)
    every = measured.measure(segmenter)["anchor_agreement"]
    ask = measured._anchor

    def silent_on(share: slice) -> Signals:
        def answer(segmenter: Segmenter, batch: Batch) -> Anchor:
            anchor = ask(segmenter, batch)
            masks = anchor.masks.clone()
            masks[share] = False
            return replace(anchor, masks=masks)

        monkeypatch.setattr(measured, "_anchor", answer)
        return measured.measure(segmenter)

    assert silent_on(slice(None))["anchor_agreement"] == 1
    first = silent_on(slice(1))["anchor_agreement"]  # the first object of each image
    assert 0 < first < 1
    assert first != every


def test_drift_shows_and_measuring_leaves_no_trace(samples: list[Sample]) -> None:
    segmenter = adapted_segmenter(drift=0.5)
    segmenter.train()
    before = torch.get_rng_state()
    measured = probe(samples)
    first = measured.measure(segmenter)
    assert first["anchor_agreement"] < 0.999
    assert first["area_drift"] != 0
    assert measured.measure(segmenter) == first == probe(samples).measure(segmenter)
    assert torch.equal(torch.get_rng_state(), before)
    assert segmenter.training


def test_no_more_views_than_asked_for_are_looked_at(samples: list[Sample], monkeypatch: pytest.MonkeyPatch) -> None:
    segmenter = adapted_segmenter()
    seen: list[int] = []
    encode = segmenter.encode
    monkeypatch.setattr(segmenter, "encode", lambda pixels: (seen.append(len(pixels)), encode(pixels))[1])
    measured = probe(samples, images=4, tile=32, overlap=8)
    measured.measure(segmenter)
    assert sorted(seen) == [1] * 4 + [3] * 4  # the anchor once, then three looks each
    seen.clear()
    measured.measure(segmenter)
    assert seen == [3] * 4  # the anchor is remembered
