from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.tiny import tiny_sam
from wesam.errors import WesamError, WesamWarning
from wesam.models.checkpoint import load_checkpoint_file
from wesam.models.load import load_source
from wesam.models.official.sam import to_official


def test_a_pickle_that_runs_code_is_refused(tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (str(tmp_path / "harm"),))

    path = tmp_path / "evil.pth"
    torch.save({"image_encoder.pos_embed": Harm()}, path)
    with pytest.raises(WesamError, match=r"evil\.pth: expected an original SAM checkpoint"):
        load_checkpoint_file(path)
    assert not (tmp_path / "harm").exists()


def _write(path: Path, kind: str) -> None:
    if kind == "text":
        path.write_text("hello")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "truncated":
        torch.save(to_official(tiny_sam()), path)
        path.write_bytes(path.read_bytes()[:-5000])
    elif kind == "pickle":
        path.write_bytes(pickle.dumps([1, 2]))
    elif kind == "list":
        torch.save([torch.zeros(1)], path)
    elif kind == "training checkpoint":
        torch.save({"weights": {}, "epoch": 3}, path)
    elif kind == "numbered":
        torch.save({1: "one", 2: torch.zeros(1)}, path)
    elif kind == "another network":
        torch.save({"conv1.weight": torch.zeros(3)}, path)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("text", "tensors only"),
        ("empty", "tensors only"),
        ("truncated", "tensors only"),
        ("pickle", "expected an original SAM checkpoint"),
        ("list", "tensors by name.*got list"),
        ("training checkpoint", r"got keys \['epoch', 'weights'\]"),
        ("numbered", r"got keys \['1', '2'\]"),
        ("another network", "image_encoder.patch_embed.proj.weight.*got 1 tensors: conv1.weight"),
    ],
)
def test_files_that_are_not_sam(tmp_path: Path, kind: str, message: str) -> None:
    path = tmp_path / "bad.pth"
    _write(path, kind)
    with pytest.raises(WesamError, match=rf"bad\.pth: .*{message}"):
        load_checkpoint_file(path)


@pytest.mark.parametrize(
    ("wrapper", "prefix"),
    [
        ("model", ""),
        ("state_dict", "module."),
        (None, "module."),
        ("state_dict", "model."),
        ("model_state", "sam."),
        (None, "_orig_mod."),
        ("model_state_dict", "module._orig_mod.model."),
    ],
)
def test_weights_that_training_code_has_wrapped_are_found(tmp_path: Path, wrapper: str | None, prefix: str) -> None:
    state = to_official(tiny_sam())
    wrapped = {prefix + name: tensor for name, tensor in state.items()}
    torch.save(wrapped if wrapper is None else {wrapper: wrapped, "epoch": 3}, tmp_path / "medical.pth")
    for name, tensor in to_official(load_checkpoint_file(tmp_path / "medical.pth")).items():
        assert torch.equal(tensor, state[name]), name


def test_a_compiled_part_is_found(tmp_path: Path) -> None:
    state = to_official(tiny_sam())
    torch.save({name.replace("encoder.", "encoder._orig_mod.", 1): t for name, t in state.items()}, tmp_path / "c.pth")
    assert to_official(load_checkpoint_file(tmp_path / "c.pth")).keys() == state.keys()


@pytest.mark.parametrize("model", [False, True])
def test_weights_that_are_not_finite_are_refused_by_name(tmp_path: Path, model: bool) -> None:
    sam = tiny_sam()
    with torch.no_grad():
        sam.vision_encoder.neck.conv1.weight[0, 0] = torch.nan
    if model:
        sam.save_pretrained(tmp_path / "model")
    else:
        torch.save(to_official(sam), tmp_path / "model")
    with pytest.raises(WesamError, match=r"tensor (image|vision)_encoder\.neck\.(0|conv1)\.weight: expected finite"):
        load_source(tmp_path / "model", device="cpu")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1", "a Git LFS pointer"),
        (b"<!DOCTYPE html><html>", "a web page"),
    ],
)
def test_what_is_often_saved_in_place_of_weights_is_called_that(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "sam.pth").write_bytes(content)
    with pytest.raises(WesamError, match=message):
        load_checkpoint_file(tmp_path / "sam.pth")


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("image_encoder.patch_embed.seq.0.c.weight", "MobileSAM"),
        ("model.image_encoder.layers.0.conv1.c.weight", "MobileSAM"),
        ("image_encoder.blocks.0.mlp.fc1.weight", "EfficientSAM"),
        ("image_encoder.blocks.11.MLP_Adapter.D_fc1.weight", "adapter layers"),
        ("image_encoder.features.0.0.c.weight", "EdgeSAM"),
        ("image_encoder.backbone.stages.0.op_list.0.weight", "EfficientViT-SAM"),
        ("image_encoder.trunk.blocks.0.mlp.fc1.weight", "EfficientTAM"),
        ("sam_mask_decoder.hf_token.weight", "HQ-SAM 2"),
        ("base_model.model.vision_encoder.layers.0.attn.qkv.lora_A.default.weight", "merge_and_unload"),
        ("w_a_000", "SAMed"),
        ("model.22.cv1.conv.weight", "FastSAM"),
        ("object_transformer.blocks.0.weight", "Cutie"),
        ("cls_token", "DINO"),
        ("embeddings.cls_token", "DINO"),
        ("detector.backbone.weight", "SAM 3"),
        ("backbone.vision_backbone.trunk.pos_embed", "SAM 3"),
        ("vision_encoder.backbone.layers.0.attention.q_proj.weight", "SAM 3 without its configuration"),
    ],
)
@pytest.mark.parametrize("beside", [False, True])
def test_another_family_is_called_by_its_name(tmp_path: Path, name: str, family: str, beside: bool) -> None:
    looks_alike = beside and name.startswith("image_encoder.blocks")
    more = to_official(tiny_sam()) if looks_alike else {"mask_decoder.iou_token.weight": torch.zeros(1)}
    torch.save({name: torch.zeros(1)} | more, tmp_path / "other.pth")
    with pytest.raises(WesamError, match=f"these are weights of .*{family}.*wesam reads files of SAM, SAM-HQ"):
        load_checkpoint_file(tmp_path / "other.pth")


def test_safetensors(tmp_path: Path) -> None:
    state = to_official(tiny_sam())
    save_file({f"model.{name}": tensor for name, tensor in state.items()}, tmp_path / "sam.safetensors")
    back = to_official(load_checkpoint_file(tmp_path / "sam.safetensors"))
    for name, tensor in state.items():
        assert torch.equal(back[name], tensor), name
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "sam.safetensors").read_bytes()[:-9])
    with pytest.raises(WesamError, match=r"cut\.safetensors: .*damaged"):
        load_checkpoint_file(tmp_path / "cut.safetensors")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch.jit, whose files people have
def test_programs_are_called_that(tmp_path: Path) -> None:
    torch.jit.script(torch.nn.Linear(1, 1)).save(tmp_path / "scripted.pt")
    with pytest.raises(WesamError, match="is a TorchScript program"):
        load_checkpoint_file(tmp_path / "scripted.pt")
    (tmp_path / "sam.onnx").write_bytes(b"\x08\x07")
    with pytest.raises(WesamError, match="this is an ONNX program"):
        load_checkpoint_file(tmp_path / "sam.onnx")


def test_two_models_in_a_file_are_refused(tmp_path: Path) -> None:
    state = to_official(tiny_sam())
    both = {f"{who}.{name}": tensor for who in ("student", "teacher") for name, tensor in state.items()}
    torch.save(both, tmp_path / "both.pth")
    with pytest.raises(
        WesamError, match=r"expected one model, got several, under the prefixes 'student\.', 'teacher\.'"
    ):
        load_checkpoint_file(tmp_path / "both.pth")


def test_what_stands_beside_the_model_is_said(tmp_path: Path) -> None:
    state = {f"sam.{name}": tensor for name, tensor in to_official(tiny_sam()).items()}
    torch.save(state | {"loss.weight": torch.zeros(2)}, tmp_path / "run.pth")
    with pytest.warns(
        WesamWarning, match=r"left out 1 tensors that are not the model's \(under 'sam\.'\): loss\.weight"
    ):
        load_checkpoint_file(tmp_path / "run.pth")


def test_no_advice_to_run_foreign_code(tmp_path: Path) -> None:
    torch.save({"epoch": 1, "model": Path("x"), "args": {}}, tmp_path / "run.ckpt")
    with pytest.raises(WesamError, match="save its state_dict alone") as error:
        load_checkpoint_file(tmp_path / "run.ckpt")
    assert "weights_only" not in str(error.value)
