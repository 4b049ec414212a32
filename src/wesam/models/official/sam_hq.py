"""SAM-HQ's own checkpoint format (`sam_hq_vit_b.pth` and its like), both ways: SAM's with a few more tensors."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor
from transformers import (
    SamHQConfig,
    SamHQMaskDecoderConfig,
    SamHQModel,
    SamHQPromptEncoderConfig,
    SamHQVisionConfig,
)

from wesam.models.official import sam
from wesam.models.official.decoder import Rules
from wesam.models.official.fill import read_network
from wesam.models.official.shapes import Shapes

RULES: Rules = (
    *sam.RULES,
    (r"\.hq_token\.", ".hf_token."),
    (r"\.hq_mask_mlp\.", ".hf_mlp."),
    (r"\.compress_vit_conv1\.", ".compress_vit_feat.0."),
    (r"\.compress_vit_norm\.", ".compress_vit_feat.1."),
    (r"\.compress_vit_conv2\.", ".compress_vit_feat.3."),
    (r"\.encoder_conv1\.", ".embedding_encoder.0."),
    (r"\.encoder_norm\.", ".embedding_encoder.1."),
    (r"\.encoder_conv2\.", ".embedding_encoder.3."),
    (r"\.mask_conv1\.", ".embedding_maskfeature.0."),
    (r"\.mask_norm\.", ".embedding_maskfeature.1."),
    (r"\.mask_conv2\.", ".embedding_maskfeature.3."),
)


def from_official(state: Mapping[str, Tensor]) -> SamHQModel:
    """A `SamHQModel` that holds the tensors of an original checkpoint (shared where they are float32).

    Raises:
        WesamError: if a tensor is missing, unknown or of another shape than the others imply.
    """
    state = sam.without_constants(state)
    config = config_from_official(state)
    return read_network(state, "SAM-HQ", lambda: SamHQModel(config), RULES)


def to_official(model: SamHQModel) -> dict[str, Tensor]:
    """The tensors of a `SamHQModel` under their original names.

    Raises:
        WesamError: if the model has something that the original format cannot tell its reader.
    """
    state = sam.plain_tensors(model, RULES)
    sam.refuse_losses(model.config, config_from_official(state), "SAM-HQ")
    return state


def config_from_official(state: Mapping[str, Tensor]) -> SamHQConfig:
    """The architecture that the shapes of an original checkpoint describe; see `sam.config_from_official`."""
    shapes = Shapes(state, "SAM-HQ")
    vision, prompt, decoder = sam.architecture(shapes)
    compressed = shapes.of("mask_decoder.compress_vit_feat.0.weight", 4)[0]
    return SamHQConfig(
        vision_config=SamHQVisionConfig(**vision),
        prompt_encoder_config=SamHQPromptEncoderConfig(**prompt),
        mask_decoder_config=SamHQMaskDecoderConfig(**decoder, vit_dim=compressed),
    )
