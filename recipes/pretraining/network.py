"""The reduced `SamModel`, initialised so that it can be trained from nothing, and its training-only heads.

transformers' defaults are meant for loading weights: an `initializer_range` of 1e-10 and a positional scale of
hidden // 2. Trained from those, a model ends blind: it draws plausible shapes into boxes without looking at the
image. What is done here instead, each for a reason, is said beside each step.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from transformers import SamConfig, SamModel
from transformers.models.sam.modeling_sam import SamAttention


class NetworkConfig(BaseModel):
    """Size of the network. The defaults are the bundled `wesam-tiny`."""

    model_config = ConfigDict(extra="forbid")

    image_size: int = Field(default=256, description="side of the encoder's input, pixels")
    patch_size: int = Field(default=16, description="side of a patch, pixels")
    hidden_size: int = Field(default=192, description="encoder width")
    layers: int = Field(default=6, description="encoder blocks")
    heads: int = Field(default=3, description="attention heads of the encoder; 64 channels each, as SAM's")
    window: int = Field(default=8, description="side of a local attention window, tokens")
    global_layers: tuple[int, ...] = Field(default=(1, 3, 5), description="blocks that attend to the whole image")
    decoder_size: int = Field(default=128, description="decoder width = feature channels")
    decoder_mlp: int = Field(default=512, description="hidden width of the decoder's MLPs")
    position_scale: float = Field(default=0.25, description="deviation of the random positional frequencies")
    feature_scale: float = Field(default=0.3, description="loudness of the features at the start")
    decoder_heads: int = Field(default=8, description="attention heads of the decoder; original SAM files know only 8")


def build_sam(config: NetworkConfig) -> SamModel:
    """A reduced SAM with weights fit for training; draws from torch's global generator."""
    sam = SamModel(
        SamConfig(
            vision_config={
                "image_size": config.image_size,
                "patch_size": config.patch_size,
                "hidden_size": config.hidden_size,
                "num_hidden_layers": config.layers,
                "num_attention_heads": config.heads,
                "window_size": config.window,
                "global_attn_indexes": list(config.global_layers),
                "output_channels": config.decoder_size,
                "num_pos_feats": config.decoder_size // 2,
                "initializer_range": 0.02,
            },
            prompt_encoder_config={
                "hidden_size": config.decoder_size,
                "image_size": config.image_size,
                "patch_size": config.patch_size,
            },
            mask_decoder_config={
                "hidden_size": config.decoder_size,
                "mlp_dim": config.decoder_mlp,
                "num_attention_heads": config.decoder_heads,
                "iou_head_hidden_dim": config.decoder_size,
            },
        )
    )
    # Attention over tiny heads: plain matrix products are twice as fast to train on a CPU as the fused kernel.
    sam.mask_decoder.config._attn_implementation = "eager"
    _initialise(sam, config)
    return sam


@torch.no_grad()
def _initialise(sam: SamModel, config: NetworkConfig) -> None:
    for name, module in sam.named_modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):  # prompt and output tokens must differ from the start
            quiet = 0.1 if "no_mask" in name else 0.3  # a prompt's kind must not drown its place
            nn.init.normal_(module.weight, std=1.0 if "mask_decoder" in name else quiet)
    for module in sam.mask_decoder.transformer.modules():
        if isinstance(module, SamAttention) and module.internal_dim < module.hidden_size:
            # Cross-attention whose queries and keys start alike finds by place: a token looks where its prompt is from
            # the first step (mimetic initialisation, Trockman & Kolter 2023). Drawing ellipses into boxes, with the
            # quieter kinds above: 0.71 against 0.66 IoU after 200 steps, 0.41 against 0.30 below 16 pixels.
            nn.init.orthogonal_(module.q_proj.weight)
            module.k_proj.weight.copy_(module.q_proj.weight)
    for layer in sam.vision_encoder.layers:  # residual branches start small, so depth does not blow up
        layer.attn.proj.weight /= math.sqrt(2 * config.layers)
        layer.mlp.lin2.weight /= math.sqrt(2 * config.layers)
    # SAM's scale is 1 and suits its long training. The lower the frequencies, the sooner a short training learns
    # where a box is: 0.52, 0.62, 0.70 IoU of drawing ellipses into boxes after 220 steps at 1, 0.5, 0.25.
    # They are fixed: in no optimizer, a gradient of theirs would only add up and weigh in the clipping of all others.
    sam.prompt_encoder.shared_embedding.positional_embedding.normal_(std=config.position_scale).requires_grad_(False)
    # Features louder than the positions drown them: a decoder that starts with quiet features learns where a
    # prompt is twice as fast (0.46 against 0.31 IoU after 160 steps), and can turn them up later.
    sam.vision_encoder.neck.layer_norm2.weight.fill_(config.feature_scale)
    grid = config.image_size // config.patch_size
    sam.vision_encoder.pos_embed.copy_(_sine_positions(grid, config.hidden_size))
    basis = _dct_patches(config.patch_size, config.hidden_size)
    sam.vision_encoder.patch_embed.projection.weight.copy_(basis)


def _sine_positions(grid: int, channels: int) -> Tensor:
    """Fixed sines and cosines of x and y, (1, grid, grid, channels): as loud as the patches from the first step."""
    frequency = 2 * np.pi * torch.exp(torch.linspace(math.log(0.25), math.log(grid / 4), channels // 4))
    angle = (torch.arange(grid) + 0.5)[:, None] / grid * frequency
    waves = torch.cat([angle.sin(), angle.cos()], 1)
    out = torch.cat([waves[:, None].expand(-1, grid, -1), waves[None].expand(grid, -1, -1)], -1)
    return 0.7 * out[None]


def _dct_patches(patch: int, channels: int) -> Tensor:
    """A patch embedding that keeps the picture: the lowest cosine frequencies of luma and two chromas.

    A random projection of 768 values to 192 throws most of the picture away before anything was learnt. Rows
    are scaled by frequency, against the 1 / f spectrum of pictures.

    Returns:
        (channels, 3, patch, patch).
    """
    k = torch.arange(patch)
    wave = torch.cos(math.pi / patch * (k[None] + 0.5) * k[:, None])  # (frequency, place)
    wave /= wave.norm(dim=1, keepdim=True)
    order = sorted(((u, v) for u in range(patch) for v in range(patch)), key=lambda f: f[0] ** 2 + f[1] ** 2)
    colours = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [-0.5, 1.0, -0.5]]) / 3
    chroma = channels // 6
    rows = []
    for colour, count in zip(colours, (channels - 2 * chroma, chroma, chroma), strict=True):
        for u, v in order[:count]:
            gain = (1 + math.hypot(u, v)) / patch
            rows.append(gain * colour[:, None, None] * torch.outer(wave[u], wave[v]))
    return torch.stack(rows)


class DenseHeads(nn.Module):
    """Training-only heads on the encoder's features: object edges, colours, instance embedding.

    They make the encoder look at the image before the decoder has learnt to ask it. Every output lives on
    the mask grid, four cells a token and axis.
    """

    def __init__(self, channels: int, embedding: int = 8) -> None:
        super().__init__()
        self.project = nn.Conv2d(channels, 16 * (1 + 3 + embedding), 1)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Edges (B, 1, m, m), colours (B, 3, m, m), embedding (B, E, m, m) from (B, C, m / 4, m / 4)."""
        out = F.pixel_shuffle(self.project(features), 4).float()
        return out[:, :1], out[:, 1:4], out[:, 4:]


def decode_all(
    sam: SamModel, features: Tensor, sparse: Tensor | None, dense: Tensor, position: Tensor
) -> tuple[Tensor, Tensor]:
    """All four masks of each prompt; `SamMaskDecoder.forward` gives either the one or the other three.

    Args:
        features: of each prompt's image, (P, C, g, g).
        sparse: prompt tokens, (P, 1, T, C), or None.
        dense: mask prompts, (P, C, g, g) or broadcastable.
        position: of the features, (1, C, g, g).
    Returns:
        logits (P, 4, 4g, 4g), the first being the single mask, and predicted IoU (P, 4), both float32.
    """
    decoder = sam.mask_decoder
    count = len(features)
    tokens = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight]).expand(count, 1, -1, -1)
    if sparse is not None:
        tokens = torch.cat([tokens, sparse], 2)
    answers, image = decoder.transformer(
        point_embeddings=tokens,
        image_embeddings=features + dense,
        image_positional_embeddings=position.expand(count, -1, -1, -1),
        attention_similarity=None,
    )
    image = image.transpose(2, 3).reshape(features.shape)
    image = decoder.activation(decoder.upscale_layer_norm(decoder.upscale_conv1(image)))
    image = decoder.activation(decoder.upscale_conv2(image))
    weights = [mlp(answers[:, 0, 1 + i]) for i, mlp in enumerate(decoder.output_hypernetworks_mlps)]
    logits = torch.stack(weights, 1) @ image.flatten(2)
    iou = decoder.iou_prediction_head(answers[:, 0, 0])
    return logits.reshape(count, len(weights), *image.shape[2:]).float(), iou.float()
