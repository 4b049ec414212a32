"""Going on from a saved adapter: its weights learn on, and the source model stays what it was."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch

from tests.methods.scenes import adapted_segmenter, make_batch
from tests.tiny import tiny_segmenter
from tests.updates.kinds import predicted
from wesam.errors import WesamError
from wesam.methods.wesam import Wesam, WesamSettings
from wesam.models.segmenter import Segmenter
from wesam.updates.load import start_from
from wesam.updates.lora import LoraSettings
from wesam.updates.norms import NormsSettings
from wesam.updates.settings import UpdateSettings
from wesam.updates.update import add_update, update_of


def masks_of(segmenter: Segmenter) -> torch.Tensor:
    return predicted(segmenter)[0]


def saved(folder: Path, settings: UpdateSettings) -> torch.Tensor:
    """An adapter on disk that changes something, and what the network answers with it."""
    segmenter = tiny_segmenter()
    update = add_update(segmenter, settings, seed=1)
    with torch.no_grad():
        for number, parameter in enumerate(update.parameters()):
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(number)))
    update.save(folder)
    return masks_of(segmenter)


@pytest.mark.parametrize("settings", [LoraSettings(rank=2), LoraSettings(rank=2, target="qv"), NormsSettings()])
def test_it_answers_as_the_parent_and_its_anchor_as_the_source(tmp_path: Path, settings: UpdateSettings) -> None:
    parents = saved(tmp_path / "parent", settings)
    source = masks_of(tiny_segmenter())
    segmenter = tiny_segmenter()
    update = add_update(segmenter, settings, seed=0)
    digest = start_from(segmenter, tmp_path / "parent")
    assert torch.equal(masks_of(segmenter), parents)
    assert not torch.equal(parents, source)
    with segmenter.anchor():
        assert torch.equal(masks_of(segmenter), source)
    with update.using(update.between(update.state(), 0.0)):
        assert torch.equal(masks_of(segmenter), source)
    files = {hashlib.sha256(file.read_bytes()).hexdigest() for file in (tmp_path / "parent").iterdir()}
    assert digest in files
    assert all(parameter.requires_grad for parameter in update.parameters())
    update.save(tmp_path / "child")
    assert (tmp_path / "child" / "parent_adapter.sha256").read_text().strip() == digest


def test_the_teacher_starts_as_the_parent_too(tmp_path: Path) -> None:
    saved(tmp_path / "parent", LoraSettings(rank=2))
    segmenter = adapted_segmenter(drift=0)
    start_from(segmenter, tmp_path / "parent")
    method = Wesam(segmenter, WesamSettings())
    assert method.ema is not None
    assert all(torch.equal(mine, update_of(segmenter).state()[name]) for name, mine in method.ema.weights().items())
    source = adapted_segmenter(drift=0)
    anchors = [Wesam(one, WesamSettings()).anchor(one, make_batch()).masks for one in (segmenter, source)]
    assert torch.equal(*anchors)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (NormsSettings(), "of the kind that this run has, norms.*got lora rank=2"),
        (LoraSettings(rank=3), "lora rank=3.*got lora rank=2"),
    ],
)
def test_another_kind_is_refused_in_words(tmp_path: Path, settings: UpdateSettings, message: str) -> None:
    saved(tmp_path, LoraSettings(rank=2))
    segmenter = tiny_segmenter()
    add_update(segmenter, settings, seed=0)
    before = masks_of(segmenter)
    with pytest.raises(WesamError, match=message):
        start_from(segmenter, tmp_path)
    assert torch.equal(masks_of(segmenter), before)


def test_a_scaled_update_of_an_earlier_version_is_refused(tmp_path: Path) -> None:
    saved(tmp_path, LoraSettings(rank=2))
    config = tmp_path / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"lora_alpha": 4}))
    segmenter = tiny_segmenter()
    add_update(segmenter, LoraSettings(rank=2), seed=0)
    with pytest.raises(WesamError, match="not scaled, got lora_alpha=4 with r=2"):
        start_from(segmenter, tmp_path)


def test_how_it_learns_on_may_differ(tmp_path: Path) -> None:
    saved(tmp_path, LoraSettings(rank=2))
    segmenter = tiny_segmenter()
    add_update(segmenter, LoraSettings(rank=2, rate=2.0), seed=0)
    start_from(segmenter, tmp_path)


def test_an_adapter_of_another_model_is_refused(tmp_path: Path) -> None:
    saved(tmp_path, LoraSettings(rank=2))
    segmenter = tiny_segmenter(seed=5)
    add_update(segmenter, LoraSettings(rank=2), seed=0)
    with pytest.raises(WesamError, match="expected an adapter of tiny, got one that was made from other weights"):
        start_from(segmenter, tmp_path)


def test_a_folder_that_is_none_of_ours_is_refused(tmp_path: Path) -> None:
    segmenter = adapted_segmenter(drift=0)
    with pytest.raises(WesamError, match="expected the adapter of a run"):
        start_from(segmenter, tmp_path / "nowhere")
