"""Adapters made by other packages, and by the first version of this one."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

from tests.tiny import tiny_sam, tiny_segmenter
from tests.updates.kinds import close, pixels, predicted
from wesam.errors import WesamError
from wesam.models.segmenter import Segmenter
from wesam.training.config import make_config
from wesam.training.run_folder import RunFolder
from wesam.updates.load import attach_adapter
from wesam.updates.lora import LoraSettings
from wesam.updates.update import merged_model, update_of

OLD_ADAPTER = Path(__file__).with_name("adapter_of_2f60631")
_QKV = r".*\.attn\.qkv"


def by_peft(folder: Path, **settings: Any) -> PeftModel:
    """A LoRA that peft made, with weights that change something, saved by peft."""
    config = LoraConfig(**{"r": 2, "lora_alpha": 4, "target_modules": _QKV, **settings})
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        model = get_peft_model(tiny_sam(), config)
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.data.add_(0.05 * torch.randn(parameter.shape))
        model.save_pretrained(folder, save_embedding_layers=False)
    return model


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"use_dora": True},
        {"use_rslora": True},
        {"lora_bias": True},
        {"init_lora_weights": "gaussian"},
        {"init_lora_weights": "orthogonal"},
        {"rank_pattern": {r"vision_encoder\.layers\.0\.attn\.qkv": 3}, "alpha_pattern": {"qkv": 5}},
        {"target_modules": ["q_proj", "qkv", "lin1"], "exclude_modules": r".*layers\.0.*"},
    ],
    ids=lambda settings: next(iter(settings), "plain"),
)
def test_an_adapter_of_peft_works_as_there(tmp_path: Path, settings: dict[str, Any]) -> None:
    model = by_peft(tmp_path, **settings)
    segmenter = tiny_segmenter()
    source = predicted(segmenter)
    update = attach_adapter(segmenter, tmp_path)
    assert update.settings is None
    with torch.no_grad():
        expected = model.vision_encoder(pixels(segmenter)).last_hidden_state
        torch.testing.assert_close(segmenter.encode(pixels(segmenter)).pooled, expected)
    learned = predicted(segmenter)
    assert not torch.allclose(learned[0], source[0], atol=1e-3)
    with segmenter.anchor():
        assert torch.equal(predicted(segmenter)[0], source[0])
    with update.using(update.between(update.state(), 0.0)):
        assert torch.equal(predicted(segmenter)[0], source[0])
    close(predicted(Segmenter(merged_model(segmenter), name="merged")), learned)
    update.save(tmp_path / "again")
    again = tiny_segmenter()
    attach_adapter(again, tmp_path / "again")
    assert torch.equal(predicted(again)[0], learned[0])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"init_lora_weights": "pissa"}, "init_lora_weights=pissa rewrites the model's own weights"),
        ({"init_lora_weights": "pissa_niter_2"}, "init_lora_weights=pissa_niter_2 rewrites"),
        ({"init_lora_weights": "olora"}, "init_lora_weights=olora rewrites"),
        ({"bias": "lora_only"}, "bias=lora_only is not supported"),
        ({"bias": "all"}, "bias=all is not supported"),
        ({"modules_to_save": ["neck"]}, r"modules_to_save=\['neck'\] is not supported"),
    ],
)
def test_what_changes_more_than_factors_is_refused_by_name(
    tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    by_peft(tmp_path, **settings)
    segmenter = tiny_segmenter()
    source = predicted(segmenter)
    with pytest.raises(WesamError, match=rf"adapter_config.json: {message}"):
        attach_adapter(segmenter, tmp_path)
    assert torch.equal(predicted(segmenter)[0], source[0])


@pytest.mark.parametrize("name", ["corda", "loftq", "lora_ga", "mica", "something_new"])
def test_so_are_beginnings_that_need_more_to_be_made(tmp_path: Path, name: str) -> None:
    by_peft(tmp_path)
    file = tmp_path / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"init_lora_weights": name}))
    with pytest.raises(WesamError, match=rf"adapter_config.json: .*{name}|adapter_config.json: expected a peft"):
        attach_adapter(tiny_segmenter(), tmp_path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_named(tmp_path: Path, value: float) -> None:
    by_peft(tmp_path)
    weights = load_file(tmp_path / "adapter_model.safetensors")
    name = max(weights)
    weights[name][0, 0] = value
    save_file(weights, tmp_path / "adapter_model.safetensors")
    with pytest.raises(WesamError, match=rf"adapter_model.safetensors: tensor {name}: expected finite numbers"):
        attach_adapter(tiny_segmenter(), tmp_path)


def test_an_adapter_of_the_first_version() -> None:
    """Query and value thirds, ranks that rise: made by the code of that commit, with what it encoded."""
    segmenter = tiny_segmenter()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        attach_adapter(segmenter, OLD_ADAPTER)
    assert update_of(segmenter).settings == LoraSettings(rank=2, target="qv")
    with torch.no_grad():
        found = segmenter.encode(torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))).pooled
    expected = [-0.66650683, -0.84939319, -0.17194608, -0.39927831, 0.17566568, 0.49802712]
    torch.testing.assert_close(found.flatten()[:6], torch.tensor(expected), rtol=1e-4, atol=1e-5)


def test_a_run_of_the_first_version_is_refused_in_words(tmp_path: Path) -> None:
    config = make_config({"model": "m", "images": "i", "labels": "l", "out": tmp_path})
    (tmp_path / "config.yaml").write_text("model: m\nlora: {rank: 4}\n")
    with pytest.raises(WesamError, match="a run of this version of wesam, got one that an older version began"):
        RunFolder(tmp_path).open(config, resume=True)
