"""EdgeTAM's own checkpoint format (`edgetam.pt`), both ways: SAM 2's, with an encoder of timm's."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor
from transformers import EdgeTamConfig, EdgeTamModel, TimmWrapperConfig

from wesam.errors import WesamError
from wesam.models.edgetam_network import build_edgetam
from wesam.models.official.decoder import Rules, mask_decoder_settings, prompt_encoder_settings
from wesam.models.official.fill import read_network
from wesam.models.official.sam2 import SHARED_RULES, with_video_part
from wesam.models.official.shapes import Shapes
from wesam.models.official.video_part import keep_video_part, split_video_part

#: timm's name of the encoder that the publisher's code builds.
BACKBONE = "repvit_m1"

RULES: Rules = (
    (r"^vision_encoder\.backbone\.timm_model\.", "image_encoder.trunk.body."),
    *SHARED_RULES,
)


def from_official(state: Mapping[str, Tensor]) -> EdgeTamModel:
    """An `EdgeTamModel` that holds the promptable part of the published checkpoint.

    Raises:
        WesamError: if a tensor is missing, unknown or of another shape than the others imply; or if there is no timm,
            which the published encoder (RepViT-M1) needs.
    """
    promptable, video = split_video_part(state)
    config = config_from_official(promptable)
    model = read_network(promptable, "EdgeTAM", lambda: build_edgetam(config), RULES)
    keep_video_part(model, video)
    return model


def to_official(model: EdgeTamModel) -> dict[str, Tensor]:
    """The tensors of an `EdgeTamModel` under their published names, with the part for videos that it was read with.

    Raises:
        WesamError: if it has another encoder than the published one, or was read from something without a part for
            videos.
    """
    backbone = model.config.vision_config.backbone_config.architecture
    if backbone != BACKBONE:
        raise WesamError(
            f"the original EdgeTAM format cannot hold this model: its encoder: expected {BACKBONE}, got {backbone}; "
            f"export to transformers"
        )
    return with_video_part(model, RULES, "EdgeTAM")


def config_from_official(state: Mapping[str, Tensor]) -> EdgeTamConfig:
    """The published architecture: the one encoder that there is, and what shapes tell of the rest."""
    shapes = Shapes(state, "EdgeTAM")
    return EdgeTamConfig(
        vision_config={
            "backbone_config": _backbone_config(),
            "fpn_hidden_size": shapes.of("image_encoder.neck.convs.0.conv.weight", 4)[0],
        },
        prompt_encoder_config=prompt_encoder_settings(shapes, 1024, 16, prefix="sam_"),
        mask_decoder_config=mask_decoder_settings(shapes, prefix="sam_", mlp="layers.0"),
    )


def _backbone_config() -> TimmWrapperConfig:
    features = {"in_chans": 3, "features_only": True, "out_indices": [0, 1, 2, 3]}
    return TimmWrapperConfig(architecture=BACKBONE, model_args=features)
