"""What holds for every publisher's format: hand-written names and shapes in, the same tensors out."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor
from transformers import EdgeTamConfig

from tests.models.official import names, sam_oracle
from tests.tiny import tiny_model
from wesam.errors import WesamError
from wesam.export.official import export_official
from wesam.models.checkpoint import load_checkpoint_file
from wesam.models.efficientnet_lite import EfficientNetLite
from wesam.models.load import load_source
from wesam.models.official import edgetam, official_format, sam2
from wesam.models.segmenter import Segmenter
from wesam.types import Prompts
from wesam.updates.lora import LoraSettings
from wesam.updates.update import add_update, update_of

_CHANNELS = (320, 112, 40, 24)


class Case(NamedTuple):
    """A family's tiny file.

    Attributes:
        shapes: names and shapes as the publisher's code has them.
        within: the key under which the file holds them.
        pairs: publisher's names by transformers' names, written by hand.
        architecture: of `tests.tiny`, of the same shapes.
    """

    shapes: names.Shapes
    within: str | None
    pairs: dict[str, str]
    architecture: dict[str, list[int]]


def _lite_shapes() -> names.Shapes:
    with torch.device("meta"):
        lite = EfficientNetLite("tf_efficientnet_lite0")
    return {name: tuple(tensor.shape) for name, tensor in lite.state_dict().items()}


_SAM2_PAIRS = {
    "no_memory_embedding": "no_mem_embed",
    "vision_encoder.neck.convs.2.weight": "image_encoder.neck.convs.2.conv.weight",
    "prompt_encoder.mask_embed.layer_norm2.bias": "sam_prompt_encoder.mask_downscaling.4.bias",
    "prompt_encoder.no_mask_embed.weight": "sam_prompt_encoder.no_mask_embed.weight",
    "mask_decoder.transformer.layers.1.mlp.proj_out.bias": "sam_mask_decoder.transformer.layers.1.mlp.layers.1.bias",
    "mask_decoder.transformer.layers.0.cross_attn_image_to_token.o_proj.bias": (
        "sam_mask_decoder.transformer.layers.0.cross_attn_image_to_token.out_proj.bias"
    ),
    "mask_decoder.transformer.layer_norm_final_attn.weight": "sam_mask_decoder.transformer.norm_final_attn.weight",
    "mask_decoder.pred_obj_score_head.proj_in.weight": "sam_mask_decoder.pred_obj_score_head.layers.0.weight",
    "mask_decoder.pred_obj_score_head.layers.0.weight": "sam_mask_decoder.pred_obj_score_head.layers.1.weight",
    "mask_decoder.iou_prediction_head.proj_out.weight": "sam_mask_decoder.iou_prediction_head.layers.2.weight",
    "mask_decoder.upscale_conv2.weight": "sam_mask_decoder.output_upscaling.3.weight",
    "mask_decoder.conv_s1.bias": "sam_mask_decoder.conv_s1.bias",
}
CASES = {
    "sam": Case(
        sam_oracle.tiny_shapes(),
        None,
        {
            "vision_encoder.layers.1.layer_norm2.weight": "image_encoder.blocks.1.norm2.weight",
            "vision_encoder.neck.conv2.weight": "image_encoder.neck.2.weight",
            "prompt_encoder.point_embed.3.weight": "prompt_encoder.point_embeddings.3.weight",
        },
        {},
    ),
    "sam_hq": Case(
        names.sam_hq(),
        None,
        {
            "mask_decoder.hq_token.weight": "mask_decoder.hf_token.weight",
            "mask_decoder.hq_mask_mlp.layers.0.weight": "mask_decoder.hf_mlp.layers.1.weight",
            "mask_decoder.compress_vit_norm.bias": "mask_decoder.compress_vit_feat.1.bias",
            "mask_decoder.encoder_conv2.weight": "mask_decoder.embedding_encoder.3.weight",
            "mask_decoder.mask_conv1.weight": "mask_decoder.embedding_maskfeature.0.weight",
            "vision_encoder.layers.0.attn.rel_pos_w": "image_encoder.blocks.0.attn.rel_pos_w",
        },
        {},
    ),
    "sam2": Case(
        names.sam2(),
        "model",
        _SAM2_PAIRS
        | {
            "vision_encoder.backbone.pos_embed_window": "image_encoder.trunk.pos_embed_window",
            "vision_encoder.backbone.patch_embed.projection.weight": "image_encoder.trunk.patch_embed.proj.weight",
            "vision_encoder.backbone.blocks.2.layer_norm1.weight": "image_encoder.trunk.blocks.2.norm1.weight",
            "vision_encoder.backbone.blocks.3.attn.proj.weight": "image_encoder.trunk.blocks.3.attn.proj.weight",
            "vision_encoder.backbone.blocks.1.mlp.proj_in.weight": "image_encoder.trunk.blocks.1.mlp.layers.0.weight",
            "vision_encoder.backbone.blocks.1.proj.weight": "image_encoder.trunk.blocks.1.proj.weight",
        },
        {"widths": [8, 16, 32, 64], "heads": [1, 2, 4, 8]},
    ),
    "edgetam": Case(
        names.edgetam(_lite_shapes(), _CHANNELS),
        "model",
        _SAM2_PAIRS
        | {
            "vision_encoder.backbone.timm_model.conv_stem.weight": "image_encoder.trunk.body.conv_stem.weight",
            "vision_encoder.backbone.timm_model.bn1.running_var": "image_encoder.trunk.body.bn1.running_var",
        },
        {},
    ),
}


@pytest.fixture(autouse=True)
def tiny_architectures(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a file does not tell, as the tiny networks have it."""
    monkeypatch.setitem(sam2.SIZES, "test", sam2.Hiera(8, (1, 1, 2, 1), 1, (4, 4, 4, 4), (3,), 4, 64))
    monkeypatch.setattr(edgetam, "config_from_official", lambda state: _edgetam_config())
    monkeypatch.setattr(edgetam, "BACKBONE", "tf_efficientnet_lite0")


@functools.cache
def _edgetam_config() -> EdgeTamConfig:
    return tiny_model("edgetam").config


def _state(family: str, seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)

    def draw(name: str, shape: tuple[int, ...]) -> Tensor:
        if name.endswith("num_batches_tracked"):
            return torch.tensor(7)
        return torch.rand(shape, generator=generator) * (1 if len(shape) == 1 else 0.5) + 0.1

    return {name: draw(name, shape) for name, shape in CASES[family].shapes.items()}


def _save(family: str, state: dict[str, Tensor], path: Path) -> Path:
    within = CASES[family].within
    torch.save(state if within is None else {within: state}, path)
    return path


def _masks(network: Any) -> tuple[Tensor, Tensor]:
    segmenter = Segmenter(network, name="tiny").eval()
    pixels = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    prompts = Prompts(boxes=torch.tensor([[5.0, 9.0, 40.0, 60.0], [20.0, 20.0, 30.0, 33.0]]))
    with torch.no_grad():
        answer = segmenter.decode_multimask(segmenter.encode(pixels), prompts, torch.zeros(2, dtype=torch.long))
    return answer.logits, answer.iou


@pytest.mark.parametrize("family", CASES)
def test_a_published_file_comes_back_bit_for_bit(family: str, tmp_path: Path) -> None:
    state = _state(family)
    segmenter = load_source(_save(family, state, tmp_path / "published.pt"), device="cpu")
    assert segmenter.family.model_type == family
    export_official(segmenter, tmp_path / "back.pt")
    back = torch.load(tmp_path / "back.pt", weights_only=True)
    within = CASES[family].within
    back = back if within is None else back[within]
    assert back.keys() == state.keys()
    for name, tensor in state.items():
        assert torch.equal(back[name], tensor), name


@pytest.mark.parametrize("family", CASES)
def test_tensors_go_where_the_table_says(family: str, tmp_path: Path) -> None:
    state = _state(family)
    own = load_checkpoint_file(_save(family, state, tmp_path / "published.pt")).state_dict()
    for name, published in CASES[family].pairs.items():
        assert torch.equal(own[name], state[published]), name
    for kind in range(4):  # later families hold them as one tensor
        point = state[("sam_" if CASES[family].within else "") + f"prompt_encoder.point_embeddings.{kind}.weight"]
        whole = own.get("prompt_encoder.point_embed.weight")
        assert torch.equal(own[f"prompt_encoder.point_embed.{kind}.weight"] if whole is None else whole[[kind]], point)
    first, second = (
        "prompt_encoder.shared_embedding.positional_embedding",
        "shared_image_embedding.positional_embedding",
    )
    assert torch.equal(own[first], own[second])


def _with_one_set_of_frequencies(network: Any) -> Any:
    network.shared_image_embedding.positional_embedding.data.copy_(
        network.prompt_encoder.shared_embedding.positional_embedding.data
    )
    return network


@pytest.mark.parametrize("family", CASES)
def test_masks_of_transformers_own_model(family: str, tmp_path: Path) -> None:
    network = _with_one_set_of_frequencies(tiny_model(family, **CASES[family].architecture))
    form = official_format(family)
    torch.save({"model": form.renamed(network.state_dict())}, tmp_path / "published.pt")
    loaded = load_checkpoint_file(tmp_path / "published.pt")
    for name, tensor in loaded.state_dict().items():
        assert torch.equal(tensor, network.state_dict()[name]), name
    logits, iou = _masks(network)
    assert logits.std() > 0.01
    got_logits, got_iou = _masks(loaded)
    torch.testing.assert_close(got_logits, logits, rtol=0, atol=1e-4)
    torch.testing.assert_close(got_iou, iou, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("family", "wrapper", "renamed"),
    [
        ("sam_hq", "state_dict", lambda name: f"module.{name}"),
        ("sam2", None, lambda name: f"_orig_mod.model.sam.{name}"),
        ("sam2", "model_state", lambda name: name.replace("encoder.", "encoder._orig_mod.", 1)),
        ("edgetam", "state_dict", lambda name: f"segmentor.network.{name}"),
    ],
)
def test_what_training_code_puts_before_names_is_taken_off(
    family: str, wrapper: str | None, renamed: Callable[[str], str], tmp_path: Path
) -> None:
    state = _state(family)
    content = {renamed(name): tensor for name, tensor in state.items()}
    torch.save(content if wrapper is None else {wrapper: content, "epoch": 3}, tmp_path / "trained.pth")
    back = official_format(family).write(load_checkpoint_file(tmp_path / "trained.pth"))
    assert back.keys() == state.keys()
    for name, tensor in state.items():
        assert torch.equal(back[name], tensor), name


@pytest.mark.parametrize("family", CASES)
def test_transformers_names_in_a_pth(family: str, tmp_path: Path) -> None:
    network = _with_one_set_of_frequencies(tiny_model(family, **CASES[family].architecture))
    state = {f"model.{name}": tensor for name, tensor in network.state_dict().items()}
    torch.save({"state_dict": state, "step": 5}, tmp_path / "trained.pth")
    loaded = load_checkpoint_file(tmp_path / "trained.pth").state_dict()
    assert loaded.keys() == network.state_dict().keys()
    for name, tensor in network.state_dict().items():
        assert torch.equal(loaded[name], tensor), name


@pytest.mark.parametrize("family", CASES)
def test_missing_and_unknown_tensors_are_named(family: str, tmp_path: Path) -> None:
    state = _state(family)
    within = ("sam_" if CASES[family].within else "") + "mask_decoder.output_upscaling.1.bias"
    gone = state.pop(within)
    with pytest.raises(WesamError, match=f"missing {within}; unknown none"):
        load_checkpoint_file(_save(family, state, tmp_path / "lacking.pt"))
    state |= {within: gone, "surprise.weight": gone}
    with pytest.raises(WesamError, match=r"missing none; unknown surprise\.weight"):
        load_checkpoint_file(_save(family, state, tmp_path / "more.pt"))
    del state["surprise.weight"]
    state[within] = torch.zeros(3)
    with pytest.raises(WesamError, match=r"upscaling\.1\.bias: expected shape \(4,\), got \(3,\)"):
        load_checkpoint_file(_save(family, state, tmp_path / "other.pt"))


@pytest.mark.parametrize("family", ["sam2", "edgetam"])
def test_a_model_without_its_part_for_videos_is_refused(family: str, tmp_path: Path) -> None:
    network = _with_one_set_of_frequencies(tiny_model(family, **CASES[family].architecture))
    with pytest.raises(WesamError, match="cannot hold this model: it also has a part for videos"):
        export_official(Segmenter(network, name="tiny"), tmp_path / "out.pt")
    assert not (tmp_path / "out.pt").exists()


@pytest.mark.parametrize("family", ["sam_hq", "sam2"])
def test_frequencies_that_differ_cannot_be_told(family: str, tmp_path: Path) -> None:
    network = _with_one_set_of_frequencies(tiny_model(family, **CASES[family].architecture))
    network.shared_image_embedding.positional_embedding = torch.nn.Parameter(torch.zeros(2, 8))
    with pytest.raises(WesamError, match="differ: the publisher's format holds one of them"):
        official_format(family).renamed(network.state_dict())


@pytest.mark.parametrize("family", ["sam_hq", "sam2"])
def test_an_adapted_model_goes_back_with_the_adapter_merged(family: str, tmp_path: Path) -> None:
    state = _state(family)
    segmenter = load_source(_save(family, state, tmp_path / "published.pt"), device="cpu")
    add_update(segmenter, LoraSettings(), seed=0)
    for parameter in update_of(segmenter).parameters():
        parameter.data.add_(0.1)
    export_official(segmenter, tmp_path / "adapted.pt")
    back = torch.load(tmp_path / "adapted.pt", weights_only=True)
    back = back if CASES[family].within is None else back["model"]
    changed = {name for name in state if not torch.equal(back[name], state[name])}
    assert back.keys() == state.keys()
    assert changed == {name for name in state if name.endswith(".attn.qkv.weight")}
    again = load_source(tmp_path / "adapted.pt", device="cpu")
    pixels = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(again.encode(pixels).pooled, segmenter.encode(pixels).pooled, rtol=1e-4, atol=1e-4)
