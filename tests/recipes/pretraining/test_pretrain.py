"""The recipe: refuses what it does not know, resumes to the same weights, ships what transformers can load."""

import json
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from transformers import SamModel

from recipes.pretraining.pretrain import PretrainConfig, load_config, pretrain
from wesam.errors import WesamError

TINY = {
    "pool_shards": 1,
    "shard_scenes": 4,
    "workers": 1,
    "steps": 3,
    "images": 1,
    "instances": 4,
    "blind_steps": 1,
    "balanced_steps": 2,
    "warmup": 1,
    "probe_scenes": 0,
    "save_every": 1,
    "bf16": False,
    "network": {
        "image_size": 64,
        "hidden_size": 48,
        "layers": 2,
        "heads": 2,
        "window": 2,
        "global_layers": [1],
        "decoder_size": 32,
        "decoder_mlp": 32,
    },
}


def _config(tmp_path: Path, name: str, **changes: object) -> PretrainConfig:
    places = {"out": tmp_path / name, "pool": tmp_path / "pool"}
    return PretrainConfig.model_validate({**TINY, **places, **changes})


@pytest.mark.parametrize("bad", [{"stpes": 3}, {"network": {"hiden_size": 3}}])
def test_unknown_keys_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        PretrainConfig.model_validate(bad)


def test_an_interrupted_run_ends_with_the_same_weights(tmp_path: Path) -> None:
    whole = SamModel.from_pretrained(pretrain(_config(tmp_path, "whole")))
    stopped = _config(tmp_path, "parts", max_minutes=0.0)
    pretrain(stopped)
    assert torch.load(tmp_path / "parts" / "state.pt", weights_only=True)["step"] == 1
    parts = SamModel.from_pretrained(pretrain(stopped.model_copy(update={"max_minutes": None})))
    for name, value in whole.state_dict().items():
        assert torch.equal(value, parts.state_dict()[name]), name


def test_who_prepares_the_batches_changes_nothing(tmp_path: Path) -> None:
    alone = SamModel.from_pretrained(pretrain(_config(tmp_path, "alone")))
    helped = SamModel.from_pretrained(pretrain(_config(tmp_path, "helped", loaders=2)))
    for name, value in alone.state_dict().items():
        assert torch.equal(value, helped.state_dict()[name]), name


def test_a_run_goes_on_with_its_own_settings_alone(tmp_path: Path) -> None:
    pretrain(_config(tmp_path, "run", max_minutes=0.0))
    with pytest.raises(WesamError, match=r"run: seed: expected 0, with which the run there was begun, got 7"):
        pretrain(_config(tmp_path, "run", seed=7))
    assert load_config(tmp_path / "run" / "config.yaml").seed == 0
    pretrain(_config(tmp_path, "run", steps=2))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"network": {**TINY["network"], "image_size": 128}}, "expected 128 pixels a side, got 64"),
        ({"shard_scenes": 3, "pool_shards": 2}, "expected 3 scenes a shard, got 4"),
    ],
)
def test_a_pool_of_other_scenes_is_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    pretrain(_config(tmp_path, "run", steps=1))
    with pytest.raises(WesamError, match=message):
        pretrain(_config(tmp_path, "other", **change))


def test_what_is_shipped_is_a_plain_model_folder(tmp_path: Path) -> None:
    folder = pretrain(_config(tmp_path, "run", steps=1))
    model = SamModel.from_pretrained(folder)
    answer = model(
        pixel_values=torch.zeros(1, 3, 64, 64).to(model.dtype),
        input_boxes=torch.tensor([[[4.0, 4.0, 40.0, 40.0]]]),
    )
    assert answer.pred_masks.shape == (1, 1, 3, 16, 16)
    sizes = json.loads((folder / "preprocessor_config.json").read_text())
    assert sizes["size"] == {"longest_edge": 64}
    assert sizes["pad_size"] == {"height": 64, "width": 64}


def test_a_config_comes_back_from_the_run_folder(tmp_path: Path) -> None:
    config = _config(tmp_path, "run", steps=1)
    pretrain(config)
    assert load_config(config.out / "config.yaml") == config
