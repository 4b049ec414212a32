"""SAM 2 and 2.1 (Ravi et al. 2024, arXiv 2408.00714) on single images, over transformers' `Sam2Model`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from wesam.frames.input_format import InputFormat, Pixel
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
from wesam.types import NOT_A_POINT, Prompts

_BLOCK = r"vision_encoder\.backbone\.blocks\.\d+"


class Sam2:
    """The image part; what SAM 2 holds for videos (memory) is left out. Families that follow its code are built on it.

    `Features.extra` are the maps at 4 and 2 times the resolution, as the decoder adds them.
    """

    model_type = "sam2"
    also: tuple[str, ...] = ("sam2_video",)  # the publisher's folders say this of the same files
    image_processor = "Sam2ImageProcessor"
    processor = "Sam2Processor"
    block = _BLOCK
    stem = "vision_encoder.backbone.patch_embed"
    learning_rate = 5e-4
    mean: Pixel = IMAGENET_MEAN
    std: Pixel = IMAGENET_STD
    targets: Mapping[Target, str] = {
        "attention": rf"{_BLOCK}\.attn\.qkv",
        "linear": rf"{_BLOCK}\.(attn\.(qkv|proj)|mlp\.proj_(in|out)|proj)",
        "norms": rf"{_BLOCK}\.layer_norm[12]",
        "tokens": rf"vision_encoder\.backbone\.patch_embed\.projection|{_BLOCK}\.mlp\.proj_out",
        "encoder": r"vision_encoder\..*",
        "decoder": r"mask_decoder\..*",
    }

    def load(self, source: str, local: bool) -> nn.Module:
        from transformers import Sam2Model

        network = load_pretrained(Sam2Model, source, local, "SAM 2")
        _mend_pooling(network)
        return network

    def input_format(self, config: Any, processor: Mapping[str, Any]) -> InputFormat:
        prompts = config.prompt_encoder_config
        statistics = pixel_statistics(processor, self.mean, self.std)
        return InputFormat(prompts.image_size, 4 * (prompts.image_size // prompts.patch_size), *statistics, "stretch")

    def outputs(self, config: Any) -> int:
        return int(config.mask_decoder_config.num_multimask_outputs)

    def landmarks(self, network: Any) -> Collection[str]:
        return [f"vision_encoder.backbone.blocks.{end}" for end in network.vision_encoder.backbone.stage_ends]

    def encode(self, network: Any, pixels: Tensor) -> Features:
        """What `get_image_embeddings` computes, with gradients: the coarse map, and the two finer ones beside it."""
        maps = list(network.vision_encoder(pixels).fpn_hidden_states)
        maps[0] = network.mask_decoder.conv_s0(maps[0])
        maps[1] = network.mask_decoder.conv_s1(maps[1])
        maps[-1] = maps[-1] + network.no_memory_embedding.view(1, -1, 1, 1)
        fine, middle, coarse = maps[: len(network.backbone_feature_sizes)]
        return Features(coarse, (fine, middle))

    def decode(
        self, network: Any, features: Features, prompts: Prompts, image_index: Tensor, answer: Answer
    ) -> tuple[Tensor, Tensor]:
        if prompts.boxes is None and prompts.points is None and prompts.masks is not None:
            # As transformers has it: beside a mask alone stands a point that is none.
            nowhere = prompts.masks.new_zeros(len(prompts), 1, 2)
            none = torch.full((len(prompts), 1), NOT_A_POINT, device=nowhere.device)
            prompts = Prompts(points=nowhere, point_labels=none, masks=prompts.masks)
        decoder = network.mask_decoder
        outputs = torch.cat([decoder.obj_score_token.weight, decoder.iou_token.weight, decoder.mask_tokens.weight])
        given = decoder_input(network, features, prompts, image_index, outputs, first_mask=2)
        # In evaluation mode alone the published model answers with the best of several masks where its single mask is
        # not stable: a teacher and a student would answer with different tokens, so they ask for the single one.
        if answer == "published" and decoder.dynamic_multimask_via_stability and not decoder.training:
            logits, iou = draw_masks(decoder, given, WANTED["every"])
            logits, iou = decoder._dynamic_multimask_via_stability(logits[:, None], iou[:, None])
            return logits[:, 0], iou[:, 0]
        return draw_masks(decoder, given, WANTED[answer])


def _mend_pooling(network: Any) -> None:
    """Lets a block pool that attends to the whole map, or that is as wide as the one before; transformers fails.

    The whole map as one window is the same; and what goes around the attention is pooled as it is where widths differ.
    The published models have no such block.
    """
    backbone = network.vision_encoder.backbone
    side = backbone.config.image_size[0] // backbone.config.patch_stride[0]
    for block in backbone.blocks:
        if block.query_stride:
            block.window_size = block.window_size or side
            side //= block.query_stride[0]
            if block.dim == block.dim_out:
                block.dim, block.proj = 0, nn.Identity()  # the forward pass pools only where `dim` differs
