"""The promptable part of SAM 3 (arXiv 2511.16719) on single images, over transformers' `Sam3TrackerModel`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from wesam.frames.input_format import InputFormat
from wesam.models.families.sam2 import decode_high_resolution, high_resolution_features, stretched_input
from wesam.models.families.shared import load_pretrained, pixel_statistics
from wesam.models.family import Answer, Target
from wesam.models.features import Features
from wesam.types import Prompts

_BLOCK = r"vision_encoder\.backbone\.layers\.\d+"
_HALF = (0.5, 0.5, 0.5)


class Sam3Tracker:
    """What answers boxes, clicks and masks. What SAM 3 finds by words (its detector) is left out."""

    model_type = "sam3_tracker"
    also: tuple[str, ...] = ("sam3_video", "sam3_tracker_video")  # the publisher's folder holds all parts
    image_processor = "Sam3ImageProcessor"
    processor = "Sam3TrackerProcessor"
    block = _BLOCK
    learning_rate = 5e-4
    targets: Mapping[Target, str] = {
        "attention": rf"{_BLOCK}\.attention\.[qkv]_proj",
        "linear": rf"{_BLOCK}\.(attention\.[qkvo]_proj|mlp\.fc[12])",
        "norms": rf"{_BLOCK}\.layer_norm[12]",
        "tokens": rf"vision_encoder\.backbone\.layer_norm|{_BLOCK}\.mlp\.fc2",
        "encoder": r"vision_encoder\..*",
        "decoder": r"mask_decoder\..*",
    }

    def load(self, source: str, local: bool) -> nn.Module:
        from transformers import Sam3TrackerModel

        return load_pretrained(Sam3TrackerModel, source, local)

    def input_format(self, config: Any, processor: Mapping[str, Any]) -> InputFormat:
        return stretched_input(config, *pixel_statistics(processor, _HALF, _HALF))

    def outputs(self, config: Any) -> int:
        return int(config.mask_decoder_config.num_multimask_outputs)

    def encode(self, network: Any, pixels: Tensor) -> Features:
        return high_resolution_features(network, pixels)

    def decode(
        self, network: Any, features: Features, prompts: Prompts, image_index: Tensor, answer: Answer
    ) -> tuple[Tensor, Tensor]:
        return decode_high_resolution(network, features, prompts, image_index, answer)
