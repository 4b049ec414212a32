from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.tiny import tiny_sam, tiny_segmenter
from wesam.errors import WesamError
from wesam.models import load
from wesam.models.families.shared import IMAGENET_MEAN, IMAGENET_STD
from wesam.models.official.sam import to_official
from wesam.models.segmenter import Segmenter
from wesam.updates.load import load_segmenter
from wesam.updates.lora import LoraSettings
from wesam.updates.update import add_update, update_of

PIXELS = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny_sam().save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def encoded(segmenter: Segmenter) -> torch.Tensor:
    with torch.no_grad():
        return segmenter.encode(PIXELS).pooled


def test_transformers_folder(folder: Path) -> None:
    for given in (folder, str(folder)):
        segmenter = load_segmenter(given, device="cpu")
        assert segmenter.name == str(folder)
        assert torch.equal(encoded(segmenter), encoded(tiny_segmenter()))
    assert (segmenter.input.mean, segmenter.input.std) == (IMAGENET_MEAN, IMAGENET_STD)
    assert not segmenter.training
    assert not any(parameter.requires_grad for parameter in segmenter.parameters())


def test_original_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "sam.pth"
    torch.save(to_official(tiny_sam()), path)
    assert torch.equal(encoded(load_segmenter(path, device="cpu")), encoded(tiny_segmenter()))


@pytest.mark.parametrize(("file", "nested"), [("preprocessor_config.json", False), ("processor_config.json", True)])
def test_pixel_statistics_are_those_of_the_folder(folder: Path, file: str, nested: bool) -> None:
    settings = {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]}
    (folder / file).write_text(json.dumps({"image_processor": settings} if nested else settings))
    segmenter = load_segmenter(folder, device="cpu")
    assert segmenter.input.mean == (0.1, 0.2, 0.3)
    assert segmenter.input.std == (0.4, 0.5, 0.6)


def test_half_precision_weights_become_float32(tmp_path: Path) -> None:
    tiny_sam().half().save_pretrained(tmp_path)
    segmenter = load_segmenter(tmp_path, device="cpu")
    assert {parameter.dtype for parameter in segmenter.parameters()} == {torch.float32}


def test_adapter_is_attached_for_inference(folder: Path, tmp_path: Path) -> None:
    adapted = tiny_segmenter()
    add_update(adapted, LoraSettings(), seed=0)
    for parameter in update_of(adapted).parameters():
        parameter.data.add_(0.1)
    update_of(adapted).save(tmp_path / "adapter")
    segmenter = load_segmenter(folder, adapter=tmp_path / "adapter", device="cpu")
    assert torch.equal(encoded(segmenter), encoded(adapted))
    assert not torch.allclose(encoded(segmenter), encoded(tiny_segmenter()), atol=1e-3)
    assert not any(parameter.requires_grad for parameter in segmenter.parameters())


def test_bundled_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "bundled_model_path", lambda name: folder)
    segmenter = load_segmenter("wesam-tiny", device="cpu")
    assert segmenter.name == "wesam-tiny"
    assert torch.equal(encoded(segmenter), encoded(tiny_segmenter()))


def test_a_path_that_exists_wins_over_a_name(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tiny_sam(seed=1).save_pretrained(tmp_path / "wesam-tiny")
    monkeypatch.setattr(load, "bundled_model_path", lambda name: folder)
    monkeypatch.chdir(tmp_path)
    assert torch.equal(encoded(load_segmenter("wesam-tiny", device="cpu")), encoded(tiny_segmenter(seed=1)))


@pytest.mark.parametrize(
    ("precision", "machine", "has_units", "is_said"),
    [
        ("bf16", "x86_64", False, True),
        ("fp16", "AMD64", False, True),
        ("bf16", "x86_64", True, False),
        ("bf16", "aarch64", False, False),
        ("fp32", "x86_64", False, False),
        ("auto", "x86_64", False, False),
    ],
)
def test_a_precision_that_is_slow_on_this_processor_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch, precision: Any, machine: str, has_units: bool, is_said: bool
) -> None:
    monkeypatch.setattr(load.platform, "machine", lambda: machine)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: has_units, raising=False)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        load.load_source(folder, device="cpu", precision=precision)
    assert any(f"precision {precision} is slower" in str(one.message) for one in said) == is_said


def test_precision_and_device() -> None:
    assert load._precision("auto", torch.device("cpu")) == "fp32"
    assert load._precision("bf16", torch.device("cpu")) == "bf16"
    with pytest.raises(WesamError, match="precision: expected auto, fp32, bf16 or fp16, got float16"):
        load._precision("float16", torch.device("cpu"))  # type: ignore[arg-type]
    assert load._device("cpu") == torch.device("cpu")
    with pytest.raises(WesamError, match=r"device: expected auto or a device of this machine, got gpu"):
        load._device("gpu")


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("wesam-tny", "model wesam-tny: no such path.*expected a folder in transformers' format"),
        ("someone/no-such-sam", "no such path, and the hub gave no such model.*Without a network"),
        ("sam_vit_b.pth", r"model sam_vit_b\.pth: no such file or folder; expected"),
        ("./models/sam", r"model \./models/sam: no such file or folder; expected"),
        (Path("models/sam"), "model models/sam: no such file or folder; expected"),
    ],
)
def test_models_that_are_nowhere(
    model: str | Path, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WesamError, match=message):
        load_segmenter(model, device="cpu")


def _damage(folder: Path, kind: str) -> None:
    weights = folder / "model.safetensors"
    config = json.loads((folder / "config.json").read_text())
    if kind == "no config":
        (folder / "config.json").unlink()
    elif kind == "adapter":
        (folder / "config.json").rename(folder / "adapter_config.json")
    elif kind == "no weights":
        weights.unlink()
    elif kind == "truncated":
        weights.write_bytes(weights.read_bytes()[:1000])
    elif kind == "another type":
        (folder / "config.json").write_text(json.dumps(config | {"model_type": "vit"}))
    elif kind == "another shape":
        config["vision_config"]["hidden_size"] = 64
        (folder / "config.json").write_text(json.dumps(config))
    elif kind == "missing tensor":
        tensors = load_file(weights)
        del tensors["vision_encoder.neck.conv1.weight"]
        save_file(tensors, weights, metadata={"format": "pt"})
    elif kind in ("unexpected tensor", "adapter inside"):
        name = "zzz.weight" if kind == "unexpected tensor" else "vision_encoder.layers.0.attn.qkv.lora_A.default.weight"
        save_file(load_file(weights) | {name: torch.zeros(3)}, weights, metadata={"format": "pt"})
    elif kind == "git lfs":
        weights.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 375042383\n")
    elif kind == "broken json":
        (folder / "config.json").write_text('{"model_type": "sam", "vision_config": {')
    elif kind == "a list":
        (folder / "config.json").write_text("[1]")
    elif kind == "impossible":
        config["vision_config"]["hidden_size"] = "wide"
        (folder / "config.json").write_text(json.dumps(config))
    elif kind == "pickle":
        weights.unlink()
        torch.save({"weight": Path("x")}, folder / "pytorch_model.bin")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("no config", "expected a transformers folder with config.json, got none$"),
        ("adapter", "this is an adapter: name its source model as the model"),
        ("no weights", r"expected a whole SAM, got no weights \(model\.safetensors\)"),
        ("git lfs", r"a Git LFS pointer in place of model\.safetensors"),
        ("broken json", r"config\.json: line 1 column \d+: expected JSON"),
        ("a list", r"config\.json: expected the configuration of a model, got list"),
        ("impossible", r"a config\.json of which none can be built: .*hidden_size"),
        ("pickle", r"a \.bin that is damaged or holds more than tensors"),
        ("truncated", "expected a whole SAM, got weights that are damaged or not whole"),
        ("another type", "expected a model of type edgetam, sam, sam2, sam3_tracker, sam_hq, got vit"),
        ("another shape", r"tensors of another shape: .*\(32,\) for \(64,\)"),
        ("unexpected tensor", r"1 tensors that it has not: zzz\.weight"),
        ("adapter inside", r"holds an adapter of peft: merge it"),
        ("missing tensor", r"1 tensors missing: vision_encoder\.neck\.conv1\.weight"),
    ],
)
def test_folders_that_hold_no_sam(folder: Path, kind: str, message: str, capfd: pytest.CaptureFixture[str]) -> None:
    _damage(folder, kind)
    capfd.readouterr()
    with pytest.raises(WesamError, match=message) as caught:
        load_segmenter(folder, device="cpu")
    assert str(folder) in str(caught.value)
    assert "weights_only" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")
