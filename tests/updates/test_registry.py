from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from tests.tiny import tiny_segmenter
from tests.updates.kinds import KINDS, settings_of
from wesam.errors import WesamError
from wesam.models.segmenter import Segmenter
from wesam.training.config import RunConfig, make_config
from wesam.updates import kinds
from wesam.updates.lora import LoraSettings
from wesam.updates.mix import MixSettings
from wesam.updates.norms import NormsSettings
from wesam.updates.own_weights import OwnWeights
from wesam.updates.part import Part
from wesam.updates.registry import known_kinds, register
from wesam.updates.settings import UpdateSettings
from wesam.updates.update import add_update

BASE = {"model": "m", "images": "i", "labels": "l", "out": "o"}


class NeckSettings(UpdateSettings):
    """A kind that is not ours: one layer's bias."""

    kind: Literal["neck"] = "neck"

    def parts(self, segmenter: Segmenter, seed: int) -> Sequence[Part]:
        return [OwnWeights(segmenter.network, ["vision_encoder.neck.layer_norm2.bias"], self.rate)]


@pytest.fixture
def neck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "_KINDS", dict(kinds._KINDS))
    register(NeckSettings)


def test_a_kind_from_outside_is_one_file_and_one_line(neck: None) -> None:
    config = make_config({**BASE, "update": {"kind": "neck", "rate": 2}})
    assert config.update == NeckSettings(rate=2)
    update = add_update(tiny_segmenter(), config.update, seed=0)
    assert [group.rate for group in update.parameter_groups()] == [2]
    assert list(update.tensors()) == ["vision_encoder.neck.layer_norm2.bias"]


def test_settings_go_out_and_come_back(neck: None) -> None:
    for value in [*KINDS.values(), {"kind": "neck"}, {}, "decoder"]:
        config = make_config({**BASE, "update": value})
        assert RunConfig.model_validate(config.model_dump(mode="json")) == config
    assert {one.model_fields["kind"].default for one in known_kinds()} >= {"lora", "norms", "mix", "neck"}


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ({}, LoraSettings()),
        ({"preset": "paper"}, LoraSettings(target="qv")),
        ({"preset": "paper", "overrides": ["update.rank=8"]}, LoraSettings(target="qv", rank=8)),
        ({"preset": "paper", "overrides": ["update.kind=norms"]}, NormsSettings()),
        ({"preset": "paper", "overrides": ["update=norms"]}, NormsSettings()),
        (
            {"preset": "paper", "overrides": ["update=[{kind: lora, rank: 2}, norms]"]},
            MixSettings(of=(LoraSettings(rank=2), NormsSettings())),
        ),
    ],
)
def test_the_kind_is_the_one_named_last(sources: dict[str, Any], expected: UpdateSettings) -> None:
    assert make_config(dict(BASE), **sources).update == expected


@pytest.mark.parametrize(
    ("update", "message"),
    [
        ({"kind": "nope"}, "update: .*expected a kind of update among decoder, .*, got 'nope'"),
        ({"kind": "norms", "rank": 4}, "update.rank: unknown setting"),
        ({"rank": 0}, "update.rank: "),
        ([{"kind": "norms"}], "update.of: "),
        (3, "update: "),
    ],
)
def test_wrong_settings_are_named(update: Any, message: str) -> None:
    with pytest.raises(WesamError, match=message):
        make_config({**BASE, "update": update})


def test_the_old_name_says_what_it_is_now(tmp_path: Path) -> None:
    for text, message in (("{rank: 8}", "lora: .*called update now"), ("{ranks: rising}", "lora.ranks: .*one rank")):
        (tmp_path / "run.yaml").write_text(f"lora: {text}")
        with pytest.raises(WesamError, match=f"run.yaml: {message}"):
            make_config(dict(BASE), file=tmp_path / "run.yaml")


def test_a_network_without_what_a_kind_changes_is_refused_and_stays_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    segmenter = tiny_segmenter()
    names = list(segmenter.network.state_dict())
    targets = {name: pattern for name, pattern in segmenter.family.targets.items() if name != "tokens"}
    monkeypatch.setattr(type(segmenter.family), "targets", targets)
    for settings in (settings_of("prompt-tokens"), MixSettings(of=(LoraSettings(), settings_of("prompt-tokens")))):
        with pytest.raises(
            WesamError, match="update prompt-tokens: expected a model with tokens .*sam, which has none"
        ):
            add_update(segmenter, settings, seed=0)
        assert list(segmenter.network.state_dict()) == names
        assert segmenter.update is None


def test_kinds_that_change_the_same_weights_are_refused() -> None:
    segmenter = tiny_segmenter()
    with pytest.raises(WesamError, match="two that change vision_encoder"):
        add_update(segmenter, MixSettings(of=(NormsSettings(), settings_of("encoder"))), seed=0)


@pytest.mark.parametrize(
    ("family", "blocks_at"),
    [("sam", "layers"), ("sam_hq", "layers"), ("sam2", "backbone.blocks"), ("sam3_tracker", "backbone.layers")],
)
def test_prompt_tokens_are_vectors_on_what_enters_each_block(family: str, blocks_at: str) -> None:
    segmenter = tiny_segmenter(family=family)
    update = add_update(segmenter, settings_of("prompt-tokens"), seed=0)
    blocks = list(segmenter.network.vision_encoder.get_submodule(blocks_at))
    size = segmenter.input_size
    entered: list[torch.Tensor] = []
    for block in blocks:
        block.register_forward_pre_hook(lambda _, arguments: entered.append(arguments[0].detach().clone()))
    with torch.no_grad():
        segmenter.encode(torch.zeros(1, 3, size, size))
        for number in range(len(blocks)):
            before = entered[-len(blocks) :]
            update.parameters()[number].add_(2.0)
            segmenter.encode(torch.zeros(1, 3, size, size))
            after = entered[-len(blocks) :]
            assert all(map(torch.equal, before[:number], after[:number]))
            torch.testing.assert_close(after[number], before[number] + 2.0)
    assert len(update.parameters()) == len(blocks)


def test_prompt_tokens_of_a_convolutional_encoder_are_added_to_cells() -> None:
    segmenter = tiny_segmenter(family="edgetam")
    update = add_update(segmenter, settings_of("prompt-tokens"), seed=0)
    backbone = segmenter.network.vision_encoder.backbone.timm_model
    blocks = [block for stage in backbone.blocks for block in stage]
    size = segmenter.input_size
    entered: list[torch.Tensor] = []
    for block in blocks[1:]:
        block.register_forward_pre_hook(lambda _, arguments: entered.append(arguments[0].detach().clone()))
    with torch.no_grad():
        segmenter.encode(torch.zeros(1, 3, size, size))
        before = list(entered)
        update.parameters()[1].add_(2.0)
        segmenter.encode(torch.zeros(1, 3, size, size))
    after = entered[len(before) :]
    assert torch.equal(after[0], before[0])
    torch.testing.assert_close(after[1], before[1] + 2.0)
    assert len(update.parameters()) == len(blocks) - 1
