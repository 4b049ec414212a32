"""The original `segment_anything` checkpoint format (`sam_vit_b_01ec64.pth` and its like), both ways.

Only names differ from transformers' `SamModel`, so one rule from its names to the official ones serves both
directions: reading builds the model that the tensors' shapes describe and looks each of its names up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from transformers import SamConfig, SamMaskDecoderConfig, SamModel, SamPromptEncoderConfig, SamVisionConfig

from wesam.errors import WesamError
from wesam.models.official.shapes import check_shapes

# transformers holds the positional frequencies twice (tied), the original once.
_TIED = "shared_image_embedding.positional_embedding"

_RULES = [
    (r"^vision_encoder\.", "image_encoder."),
    (r"^image_encoder\.patch_embed\.projection\.", "image_encoder.patch_embed.proj."),
    (r"^image_encoder\.layers\.", "image_encoder.blocks."),
    (r"^image_encoder\.neck\.conv1\.", "image_encoder.neck.0."),
    (r"^image_encoder\.neck\.layer_norm1\.", "image_encoder.neck.1."),
    (r"^image_encoder\.neck\.conv2\.", "image_encoder.neck.2."),
    (r"^image_encoder\.neck\.layer_norm2\.", "image_encoder.neck.3."),
    (r"\.shared_embedding\.positional_embedding$", ".pe_layer.positional_encoding_gaussian_matrix"),
    (r"\.point_embed\.", ".point_embeddings."),
    (r"\.mask_embed\.conv1\.", ".mask_downscaling.0."),
    (r"\.mask_embed\.layer_norm1\.", ".mask_downscaling.1."),
    (r"\.mask_embed\.conv2\.", ".mask_downscaling.3."),
    (r"\.mask_embed\.layer_norm2\.", ".mask_downscaling.4."),
    (r"\.mask_embed\.conv3\.", ".mask_downscaling.6."),
    (r"\.upscale_conv1\.", ".output_upscaling.0."),
    (r"\.upscale_layer_norm\.", ".output_upscaling.1."),
    (r"\.upscale_conv2\.", ".output_upscaling.3."),
    (r"\.layer_norm(\d|_final_attn)\.", r".norm\1."),
]
# The decoder's perceptrons of n layers: proj_in, layers.0, ..., proj_out become layers.0, 1, ..., n - 1.
_PERCEPTRON = re.compile(r"(.*(?:output_hypernetworks_mlps\.\d+|iou_prediction_head))\.(.*)\.(weight|bias)$")


def official_name(name: str, iou_head_depth: int = 3) -> str:
    """The original name of a tensor of transformers' `SamModel` (not of the tied copy)."""
    for pattern, replacement in _RULES:
        name = re.sub(pattern, replacement, name)
    if match := _PERCEPTRON.match(name):
        head, layer, kind = match.groups()
        last = 2 if "hypernetworks" in head else iou_head_depth - 1
        index = {"proj_in": 0, "proj_out": last}.get(layer)
        if index is None:
            index = int(layer.removeprefix("layers.")) + 1
        name = f"{head}.layers.{index}.{kind}"
    return name


def from_official(state: Mapping[str, Tensor]) -> SamModel:
    """A `SamModel` that holds the tensors of an original checkpoint (shared where they are float32).

    Raises:
        WesamError: if a tensor is missing, unknown or of another shape than the others imply.
    """
    # Some re-saved checkpoints hold these two constants, which the original builds itself.
    state = {name: tensor for name, tensor in state.items() if name not in ("pixel_mean", "pixel_std")}
    config = config_from_official(state)
    try:
        with torch.device("meta"):
            model = SamModel(config)
    except ValueError as error:  # widths that the heads do not divide
        raise WesamError(f"expected the shapes of a SAM, got ones of which none can be built: {error}") from error
    names = _names(model)
    check_shapes(state, "SAM", {names[name]: tuple(tensor.shape) for name, tensor in _tensors(model).items()})
    own = {name: state[official].float() for name, official in names.items()}
    own[_TIED] = own["prompt_encoder.shared_embedding.positional_embedding"]
    model.load_state_dict(own, assign=True)
    model.tie_weights()
    return model.eval()


def to_official(model: SamModel) -> dict[str, Tensor]:
    """The tensors of a `SamModel` under their original names.

    Raises:
        WesamError: if the model has something that the original format cannot tell its reader.
    """
    names = _names(model)
    state = {names[name]: tensor.detach().cpu().contiguous() for name, tensor in _tensors(model).items()}
    lost = {
        field: (own, read)
        for (field, own), read in zip(
            _architecture(model.config).items(),
            _architecture(config_from_official(state)).values(),
            strict=True,
        )
        if own != read
    }
    if lost:
        listed = "; ".join(f"{field}: expected {read}, got {own}" for field, (own, read) in lost.items())
        raise WesamError(f"the original SAM format cannot hold this model: {listed}")
    return state


def config_from_official(state: Mapping[str, Tensor]) -> SamConfig:
    """The architecture that the shapes of an original checkpoint describe.

    Shapes do not tell the decoder's heads, activations and the constants of layer norms: they are SAM's.

    Raises:
        WesamError: if a tensor that tells of the architecture is missing, or its shape is not that of a SAM.
    """

    def shape(name: str) -> tuple[int, ...]:
        if name not in state:
            raise WesamError(
                f"expected an original SAM checkpoint with tensor {name}, "
                f"got {len(state)} tensors: {', '.join(sorted(state)[:3]) or 'none'} ..."
            )
        return tuple(state[name].shape)

    def count(pattern: str) -> int:
        found = [int(match[1]) for match in map(re.compile(pattern).match, state) if match]
        return max(found, default=-1) + 1

    def sizes(name: str, dimensions: int) -> tuple[int, ...]:
        if len(shape(name)) != dimensions:
            raise WesamError(f"tensor {name}: expected {dimensions} dimensions, got shape {shape(name)}")
        return shape(name)

    width, channels, patch, _ = sizes("image_encoder.patch_embed.proj.weight", 4)
    grid = sizes("image_encoder.pos_embed", 4)[1]
    depth = count(r"image_encoder\.blocks\.(\d+)\.")
    reaches = [(sizes(f"image_encoder.blocks.{i}.attn.rel_pos_h", 2)[0] + 1) // 2 for i in range(max(depth, 1))]
    windows = sorted({reach for reach in reaches if reach != grid})
    if len(windows) > 1:
        raise WesamError(
            f"image_encoder.blocks.*.attn.rel_pos_h: expected one window size beside the grid of {grid}, got {windows}"
        )
    head_width = sizes("image_encoder.blocks.0.attn.rel_pos_h", 2)[1]
    vision = SamVisionConfig(
        hidden_size=width,
        num_channels=channels,
        patch_size=patch,
        image_size=grid * patch,
        num_hidden_layers=depth,
        num_attention_heads=max(1, width // head_width),
        mlp_dim=sizes("image_encoder.blocks.0.mlp.lin1.weight", 2)[0],
        qkv_bias="image_encoder.blocks.0.attn.qkv.bias" in state,
        output_channels=sizes("image_encoder.neck.0.weight", 4)[0],
        num_pos_feats=sizes("prompt_encoder.pe_layer.positional_encoding_gaussian_matrix", 2)[1],
        window_size=windows[0] if windows else grid,
        global_attn_indexes=[i for i, reach in enumerate(reaches) if reach == grid],
    )
    prompt = SamPromptEncoderConfig(
        hidden_size=sizes("prompt_encoder.no_mask_embed.weight", 2)[1],
        image_size=grid * patch,
        patch_size=patch,
        mask_input_channels=sizes("prompt_encoder.mask_downscaling.3.weight", 4)[0],
        num_point_embeddings=count(r"prompt_encoder\.point_embeddings\.(\d+)\."),
    )
    masks, hidden = sizes("mask_decoder.mask_tokens.weight", 2)
    inner = sizes("mask_decoder.transformer.layers.0.cross_attn_token_to_image.q_proj.weight", 2)[0]
    decoder = SamMaskDecoderConfig(
        hidden_size=hidden,
        num_hidden_layers=count(r"mask_decoder\.transformer\.layers\.(\d+)\."),
        mlp_dim=sizes("mask_decoder.transformer.layers.0.mlp.lin1.weight", 2)[0],
        attention_downsample_rate=max(1, hidden // inner),
        num_multimask_outputs=masks - 1,
        iou_head_hidden_dim=sizes("mask_decoder.iou_prediction_head.layers.0.weight", 2)[0],
        iou_head_depth=count(r"mask_decoder\.iou_prediction_head\.layers\.(\d+)\."),
    )
    return SamConfig(vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=decoder)


def _tensors(model: SamModel) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in model.state_dict().items() if name != _TIED}


def _names(model: SamModel) -> dict[str, str]:
    """Original names by transformers' names."""
    depth = model.config.mask_decoder_config.iou_head_depth
    return {name: official_name(name, depth) for name in _tensors(model)}


def _architecture(config: SamConfig) -> dict[str, Any]:
    """What makes two models with the same tensors compute the same."""
    vision = config.vision_config
    described = {
        "image size": vision.image_size,
        "encoder heads": vision.num_attention_heads,
        "windows of the encoder's blocks": [
            vision.image_size // vision.patch_size if i in vision.global_attn_indexes else vision.window_size
            for i in range(vision.num_hidden_layers)
        ],
        "decoder heads": config.mask_decoder_config.num_attention_heads,
    }
    parts = {
        "encoder": vision,
        "prompt encoder": config.prompt_encoder_config,
        "decoder": config.mask_decoder_config,
    }
    for part, settings in parts.items():
        described[f"{part} activation"] = settings.hidden_act
        described[f"{part} layer norm epsilon"] = settings.layer_norm_eps
    return described
