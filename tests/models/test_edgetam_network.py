from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import EdgeTamConfig, EdgeTamModel, TimmWrapperConfig

from wesam.errors import WesamError
from wesam.models.edgetam_network import EfficientNetLiteModel, build_edgetam, load_edgetam

_NO_TIMM = importlib.util.find_spec("timm") is None


def small_config(architecture: str = "tf_efficientnet_lite0") -> EdgeTamConfig:
    """64 px, 16 channels; the configuration as transformers itself has it."""
    return EdgeTamConfig(
        vision_config={
            "backbone_config": TimmWrapperConfig(
                architecture=architecture,
                model_args={"in_chans": 3, "features_only": True, "out_indices": [1, 2, 3, 4]},
            ),
            "backbone_channel_list": [320, 112, 40, 24],
            "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
            "fpn_hidden_size": 16,
        },
        prompt_encoder_config={"hidden_size": 16, "image_size": 64, "patch_size": 16},
        mask_decoder_config={"hidden_size": 16, "mlp_dim": 32, "num_attention_heads": 2, "iou_head_hidden_dim": 16},
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("edgetam")
    build_edgetam(small_config()).save_pretrained(path)
    return path


def _copy(folder: Path, to: Path) -> Path:
    to.mkdir()
    for name in ("config.json", "model.safetensors"):
        (to / name).write_bytes((folder / name).read_bytes())
    return to


@torch.no_grad()
def test_a_folder_gives_back_the_same_model(folder: Path) -> None:
    model = load_edgetam(folder)
    assert type(model) is EdgeTamModel
    assert isinstance(model.vision_encoder.backbone, EfficientNetLiteModel)
    assert not model.training
    saved = load_file(folder / "model.safetensors")
    state = model.state_dict()
    assert all(torch.equal(state[name], value) for name, value in saved.items())
    pixels, box = torch.randn(1, 3, 64, 64), torch.tensor([[[8.0, 8, 40, 48]]])
    out = model(pixel_values=pixels, input_boxes=box, multimask_output=False)
    assert out.pred_masks.shape == (1, 1, 1, 16, 16)
    again = load_edgetam(folder)(pixel_values=pixels, input_boxes=box, multimask_output=False)
    assert torch.equal(out.pred_masks, again.pred_masks)


def test_the_folder_is_a_plain_one(folder: Path, tmp_path: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    assert config["model_type"] == "edgetam"
    backbone = config["vision_config"]["backbone_config"]
    assert (backbone["model_type"], backbone["architecture"]) == ("timm_wrapper", "tf_efficientnet_lite0")
    assert backbone["model_args"]["features_only"] is True
    assert "vision_encoder.backbone.timm_model.blocks.6.0.conv_pwl.weight" in load_file(folder / "model.safetensors")
    again = tmp_path / "again"
    load_edgetam(folder).save_pretrained(again)
    backbone_again = json.loads((again / "config.json").read_text())["vision_config"]["backbone_config"]
    assert backbone_again | {"dtype": None} == backbone | {"dtype": None}


def test_half_precision_is_loaded_as_what_is_asked_for(folder: Path, tmp_path: Path) -> None:
    load_edgetam(folder).half().save_pretrained(tmp_path)
    assert next(load_edgetam(tmp_path).parameters()).dtype == torch.float32
    assert next(load_edgetam(tmp_path, torch.bfloat16).parameters()).dtype == torch.bfloat16


def test_transformers_own_backbone_gives_the_same(folder: Path) -> None:
    pytest.importorskip("timm")
    pixels = torch.randn(1, 3, 64, 64)
    other, own = EdgeTamModel.from_pretrained(folder).eval(), load_edgetam(folder)
    for expected, got in zip(other.get_image_embeddings(pixels), own.get_image_embeddings(pixels), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(not _NO_TIMM, reason="timm is installed")
def test_another_backbone_needs_timm(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(WesamError, match="repvit_m1.*pip install timm torchvision"):
        build_edgetam(small_config("repvit_m1"))
    broken = _copy(folder, tmp_path / "other")
    config = json.loads((broken / "config.json").read_text())
    config["vision_config"]["backbone_config"]["architecture"] = "repvit_m1"
    (broken / "config.json").write_text(json.dumps(config))
    with pytest.raises(WesamError, match="pip install timm torchvision"):
        load_edgetam(broken)
    del config["vision_config"]["backbone_config"]["label_names"]  # transformers asks timm for them
    (broken / "config.json").write_text(json.dumps(config))
    with pytest.raises(WesamError, match="pip install timm torchvision"):
        load_edgetam(broken)


def test_what_is_not_whole_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(WesamError, match="expected a whole EdgeTAM"):
        load_edgetam(tmp_path / "nowhere")
    cut = _copy(folder, tmp_path / "cut")
    (cut / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:1000])
    with pytest.raises(WesamError, match="expected a whole EdgeTAM"):
        load_edgetam(cut)
    part = _copy(folder, tmp_path / "part")
    weights = load_file(folder / "model.safetensors")
    del weights["vision_encoder.neck.convs.0.weight"]
    save_file(weights, part / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(WesamError, match=r"1 tensors missing: vision_encoder.neck.convs.0.weight"):
        load_edgetam(part)


@torch.no_grad()
def test_a_trained_model_of_the_users_loads() -> None:
    """`WESAM_EDGETAM=FOLDER`: any EdgeTAM folder at hand."""
    path = os.environ.get("WESAM_EDGETAM")
    if not path or not Path(path).is_dir():
        pytest.skip("WESAM_EDGETAM names no folder")
    model = load_edgetam(path)
    size = model.config.prompt_encoder_config.image_size
    out = model(pixel_values=torch.zeros(1, 3, size, size), input_boxes=torch.tensor([[[8.0, 8, 40, 48]]]))
    assert out.pred_masks.isfinite().all()
