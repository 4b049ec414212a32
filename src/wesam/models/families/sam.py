"""Segment Anything (Kirillov et al. 2023, arXiv 2304.02643) over transformers' `SamModel`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from wesam.frames.input_format import InputFormat
from wesam.models.families.shared import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    WANTED,
    decoder_input,
    pixel_statistics,
)
from wesam.models.family import Answer, Target
from wesam.models.features import Features
from wesam.models.mask_decoder import draw_masks
from wesam.models.pretrained import load_pretrained
from wesam.types import Prompts

_BLOCK = r"vision_encoder\.layers\.\d+"


class Sam:
    model_type = "sam"
    also: tuple[str, ...] = ()
    image_processor = "SamImageProcessor"
    processor = "SamProcessor"
    block = _BLOCK
    stem = "vision_encoder.patch_embed"
    learning_rate = 5e-4
    targets: Mapping[Target, str] = {
        "attention": rf"{_BLOCK}\.attn\.qkv",
        "linear": rf"{_BLOCK}\.(attn\.(qkv|proj)|mlp\.lin[12])",
        "norms": rf"{_BLOCK}\.layer_norm[12]|vision_encoder\.neck\.layer_norm[12]",
        "tokens": rf"vision_encoder\.patch_embed\.projection|{_BLOCK}\.mlp\.lin2",
        "encoder": r"vision_encoder\..*",
        "decoder": r"mask_decoder\..*",
    }

    def load(self, source: str, local: bool) -> nn.Module:
        from transformers import SamModel

        return load_pretrained(SamModel, source, local, "SAM")

    def input_format(self, config: Any, processor: Mapping[str, Any]) -> InputFormat:
        vision = config.vision_config
        mean, std = pixel_statistics(processor, IMAGENET_MEAN, IMAGENET_STD)
        return InputFormat(vision.image_size, 4 * (vision.image_size // vision.patch_size), mean, std, "pad")

    def outputs(self, config: Any) -> int:
        return int(config.mask_decoder_config.num_multimask_outputs)

    def landmarks(self, network: Any) -> Collection[str]:
        return ()

    def encode(self, network: Any, pixels: Tensor) -> Features:
        return Features(network.vision_encoder(pixels).last_hidden_state)

    def decode(
        self, network: Any, features: Features, prompts: Prompts, image_index: Tensor, answer: Answer
    ) -> tuple[Tensor, Tensor]:
        decoder = network.mask_decoder
        outputs = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
        given = decoder_input(network, features, prompts, image_index, outputs, first_mask=1)
        return draw_masks(decoder, given, WANTED[answer])
