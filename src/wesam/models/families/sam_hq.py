"""SAM-HQ (Ke et al. 2023, arXiv 2306.01567) over transformers' `SamHQModel`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor, nn

from wesam.models.families.sam import Sam
from wesam.models.families.shared import embed_prompts
from wesam.models.family import Answer
from wesam.models.features import Features
from wesam.models.pretrained import load_pretrained
from wesam.types import Prompts


class SamHq(Sam):
    """SAM's encoder, and a decoder with one more token, whose mask is added to each of SAM's.

    `Features.extra` is the encoder's first intermediate map (B, g, g, width), which that token's mask is drawn from.
    Where several masks are wanted they come by falling predicted IoU.
    """

    model_type = "sam_hq"
    also: tuple[str, ...] = ()
    image_processor = "SamImageProcessor"
    processor = "SamHQProcessor"

    def load(self, source: str, local: bool) -> nn.Module:
        from transformers import SamHQModel

        return load_pretrained(SamHQModel, source, local, "SAM-HQ")

    def landmarks(self, network: Any) -> Collection[str]:
        """The first block that attends to the whole image."""
        whole = min(network.config.vision_config.global_attn_indexes)
        return [f"vision_encoder.layers.{whole}"]

    def encode(self, network: Any, pixels: Tensor) -> Features:
        output = network.vision_encoder(pixels)
        return Features(output.last_hidden_state, tuple(output.intermediate_embeddings[:1]))

    def decode(
        self, network: Any, features: Features, prompts: Prompts, image_index: Tensor, answer: Answer
    ) -> tuple[Tensor, Tensor]:
        if answer == "every":  # its masks come sorted, and each is a sum
            parts = [self.decode(network, features, prompts, image_index, one) for one in ("single", "several")]
            return torch.cat([part[0] for part in parts], 1), torch.cat([part[1] for part in parts], 1)
        embedded = embed_prompts(network, prompts)
        chosen = features[image_index]
        logits, iou = network.mask_decoder(
            image_embeddings=chosen.pooled,
            image_positional_embeddings=embedded.position,
            sparse_prompt_embeddings=embedded.sparse,
            dense_prompt_embeddings=embedded.dense,
            multimask_output=answer == "several",
            hq_token_only=False,
            intermediate_embeddings=list(chosen.extra),
        )
        return logits[:, 0], iou[:, 0]
