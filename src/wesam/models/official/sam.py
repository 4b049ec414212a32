"""The original `segment_anything` checkpoint format (`sam_vit_b_01ec64.pth` and its like), both ways.

Only names differ from transformers' `SamModel`, so one rule from its names to the original ones serves both
directions: reading builds the model that the tensors' shapes describe and looks each of its names up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from transformers import SamConfig, SamMaskDecoderConfig, SamModel, SamPromptEncoderConfig, SamVisionConfig

from wesam.errors import WesamError
from wesam.models.official.decoder import Rules, mask_decoder_settings, prompt_encoder_settings
from wesam.models.official.fill import publisher_tensors, read_network
from wesam.models.official.shapes import Shapes

RULES: Rules = (
    (r"^vision_encoder\.", "image_encoder."),
    (r"^image_encoder\.patch_embed\.projection\.", "image_encoder.patch_embed.proj."),
    (r"^image_encoder\.layers\.", "image_encoder.blocks."),
    (r"^image_encoder\.neck\.conv1\.", "image_encoder.neck.0."),
    (r"^image_encoder\.neck\.layer_norm1\.", "image_encoder.neck.1."),
    (r"^image_encoder\.neck\.conv2\.", "image_encoder.neck.2."),
    (r"^image_encoder\.neck\.layer_norm2\.", "image_encoder.neck.3."),
)


def from_official(state: Mapping[str, Tensor]) -> SamModel:
    """A `SamModel` that holds the tensors of an original checkpoint (shared where they are float32).

    Raises:
        WesamError: if a tensor is missing, unknown or of another shape than the others imply.
    """
    state = without_constants(state)
    config = config_from_official(state)
    return read_network(state, "SAM", lambda: SamModel(config), RULES)


def to_official(model: SamModel) -> dict[str, Tensor]:
    """The tensors of a `SamModel` under their original names.

    Raises:
        WesamError: if the model has something that the original format cannot tell its reader.
    """
    state = plain_tensors(model, RULES)
    refuse_losses(model.config, config_from_official(state), "SAM")
    return state


def without_constants(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Without what some re-saved checkpoints hold, and the original builds itself."""
    return {name: tensor for name, tensor in state.items() if name not in ("pixel_mean", "pixel_std")}


def plain_tensors(model: Any, rules: Rules) -> dict[str, Tensor]:
    """A model's tensors under its publisher's names, as a file holds them."""
    named = publisher_tensors(model.state_dict(), rules)
    return {name: tensor.detach().cpu().contiguous() for name, tensor in named.items()}


def config_from_official(state: Mapping[str, Tensor]) -> SamConfig:
    """The architecture that the shapes of an original checkpoint describe.

    Shapes do not tell the decoder's heads, activations and the constants of layer norms: they are SAM's.

    Raises:
        WesamError: if a tensor that tells of the architecture is missing, or its shape is not that of a SAM.
    """
    vision, prompt, decoder = architecture(Shapes(state, "SAM"))
    return SamConfig(
        vision_config=SamVisionConfig(**vision),
        prompt_encoder_config=SamPromptEncoderConfig(**prompt),
        mask_decoder_config=SamMaskDecoderConfig(**decoder),
    )


def architecture(shapes: Shapes) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Settings of image encoder, prompt encoder and mask decoder, from the shapes of an original checkpoint.

    Raises:
        WesamError: as `config_from_official`.
    """
    width, channels, patch, _ = shapes.of("image_encoder.patch_embed.proj.weight", 4)
    grid = shapes.of("image_encoder.pos_embed", 4)[1]
    depth = shapes.count(r"image_encoder\.blocks\.(\d+)\.")
    relative = [f"image_encoder.blocks.{block}.attn.rel_pos_h" for block in range(max(depth, 1))]
    reaches = [(shapes.of(name, 2)[0] + 1) // 2 for name in relative]
    windows = sorted({reach for reach in reaches if reach != grid})
    if len(windows) > 1:
        raise WesamError(
            f"image_encoder.blocks.*.attn.rel_pos_h: expected one window size beside the grid of {grid}, got {windows}"
        )
    vision = {
        "hidden_size": width,
        "num_channels": channels,
        "patch_size": patch,
        "image_size": grid * patch,
        "num_hidden_layers": depth,
        "num_attention_heads": max(1, width // shapes.of(relative[0], 2)[1]),
        "mlp_dim": shapes.of("image_encoder.blocks.0.mlp.lin1.weight", 2)[0],
        "qkv_bias": "image_encoder.blocks.0.attn.qkv.bias" in shapes,
        "output_channels": shapes.of("image_encoder.neck.0.weight", 4)[0],
        "num_pos_feats": shapes.of("prompt_encoder.pe_layer.positional_encoding_gaussian_matrix", 2)[1],
        "window_size": windows[0] if windows else grid,
        "global_attn_indexes": [block for block, reach in enumerate(reaches) if reach == grid],
    }
    return vision, prompt_encoder_settings(shapes, grid * patch, patch), mask_decoder_settings(shapes)


def refuse_losses(own: Any, read: Any, kind: str) -> None:
    """Raises:
    WesamError: if a model's configuration decides something otherwise than a reader of the file would.
    """
    pairs = zip(_deciding(own).items(), _deciding(read).values(), strict=True)
    lost = {field: (value, other) for (field, value), other in pairs if value != other}
    if lost:
        listed = "; ".join(f"{field}: expected {other}, got {value}" for field, (value, other) in lost.items())
        raise WesamError(f"the original {kind} format cannot hold this model: {listed}")


def _deciding(config: Any) -> dict[str, Any]:
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
