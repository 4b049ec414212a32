"""EdgeTAM (Zhou et al. 2025, arXiv 2501.07256) on single images: SAM 2's decoder on a convolutional encoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from wesam.frames.input_format import InputFormat
from wesam.models.families.sam2 import decode_high_resolution, high_resolution_features, stretched_input
from wesam.models.families.shared import IMAGENET_MEAN, IMAGENET_STD, pixel_statistics
from wesam.models.family import Answer, Target
from wesam.models.features import Features
from wesam.types import Prompts

_BACKBONE = r"vision_encoder\.backbone\.timm_model"
# The last norm of a block: its shift is added to what leaves the block and enters the next.
_LAST_NORM = (
    rf"{_BACKBONE}\.(blocks\.(0\.\d+\.bn2|[1-9]\d*\.\d+\.bn3)|stages_\d+\.blocks\.\d+\.channel_mixer\.conv2\.bn)"
)
# EfficientNet-Lite's blocks, or RepViT's.
_BLOCK = rf"{_BACKBONE}\.(blocks\.\d+\.\d+|stages_\d+\.blocks\.\d+)"


class EdgeTam:
    """See `models.edgetam_network` for the encoders. There is no attention in them, so no such target."""

    model_type = "edgetam"
    also: tuple[str, ...] = ("edgetam_video",)
    image_processor = "Sam2ImageProcessor"
    processor = "Sam2Processor"
    block = _BLOCK
    learning_rate = 2e-3
    targets: Mapping[Target, str] = {
        "linear": rf"{_BLOCK}\.(conv_pwl?|token_mixer\.se\.fc[12]|channel_mixer\.conv[12]\.c)",
        "norms": rf"{_BACKBONE}\.(.*\.)?bn\d?",
        "tokens": _LAST_NORM,
        "encoder": r"vision_encoder\..*",
        "decoder": r"mask_decoder\..*",
    }

    def load(self, source: str, local: bool) -> nn.Module:
        from wesam.models.edgetam_network import load_edgetam

        network: nn.Module = load_edgetam(source, local=local)
        return network

    def input_format(self, config: Any, processor: Mapping[str, Any]) -> InputFormat:
        return stretched_input(config, *pixel_statistics(processor, IMAGENET_MEAN, IMAGENET_STD))

    def outputs(self, config: Any) -> int:
        return int(config.mask_decoder_config.num_multimask_outputs)

    def encode(self, network: Any, pixels: Tensor) -> Features:
        return high_resolution_features(network, pixels)

    def decode(
        self, network: Any, features: Features, prompts: Prompts, image_index: Tensor, answer: Answer
    ) -> tuple[Tensor, Tensor]:
        return decode_high_resolution(network, features, prompts, image_index, answer)
