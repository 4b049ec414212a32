"""The mask decoder of SAM, SAM 2 and what follows them, without the work that prompts of one image have in common.

The modules are transformers' own, in the order in which its `*MaskDecoder.forward` calls them (Kirillov et al. 2023,
arXiv 2304.02643, appendix A); results differ from its by rounding. What differs is where the work is done:

* the image is not projected for its attention with the few tokens of a prompt; the tokens are (`few_tokens`);
* what the first layer reads of the image is the same for all prompts without a mask, and is not copied for each;
* maps stay channels-last: the 2 x 2 transposed convolutions are matrix products, and only the mask logits, which are
  small, are laid out as an image;
* masks are drawn for the wanted tokens alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wesam.models.few_tokens import attend, read_image, write_image
from wesam.models.rows import rows_of


@dataclass(frozen=True)
class DecoderInput:
    """What the decoder of a family reads.

    Attributes:
        image: (R, C, g, g) features with the dense prompt added; R is B, or n where prompts have masks.
        rows: (n,) int64, which of the R rows each prompt looks at; None where R is n, in order.
        position: (1, C, g, g), the code of each place of the features.
        tokens: (n, T, C), the output tokens of the family with the sparse prompts behind them.
        first_mask: where the mask tokens begin among them; the token of the predicted IoU stands before.
        finer: maps that are added on the way up, (B, C / 8, 4 g, 4 g) and (B, C / 4, 2 g, 2 g); none in SAM.
        finer_rows: (n,) int64, which of their B images each prompt belongs to.
    """

    image: Tensor
    rows: Tensor | None
    position: Tensor
    tokens: Tensor
    first_mask: int
    finer: tuple[Tensor, ...]
    finer_rows: Tensor


def draw_masks(decoder: Any, given: DecoderInput, wanted: slice) -> tuple[Tensor, Tensor]:
    """Mask logits and predicted IoU of the wanted mask tokens.

    Args:
        decoder: transformers' mask decoder.
        given: of n prompts.
        wanted: which of the mask tokens.

    Returns:
        logits (n, K, 4 g, 4 g) and IoU (n, K).
    """
    grid = given.image.shape[2]
    image = given.image.flatten(2).transpose(1, 2)  # (R, g * g, C)
    position = given.position.flatten(2).transpose(1, 2)
    tokens, image = _two_way(decoder.transformer, given.tokens, image, position, given.rows)
    hidden = _upscaled(decoder, image, grid, given)
    first = given.first_mask
    count = len(decoder.output_hypernetworks_mlps)
    drawn = range(*wanted.indices(count))
    weights = torch.stack([decoder.output_hypernetworks_mlps[k](tokens[:, first + k]) for k in drawn], 1)
    logits = (hidden.flatten(1, -2) @ weights.transpose(1, 2)).transpose(1, 2)  # (n, K, g * g * 16)
    iou = decoder.iou_prediction_head(tokens[:, first - 1])[:, wanted]
    # (n, K, y, x, y2, x2, y4, x4): a place of the features, its half, its quarter.
    cells = logits.reshape(*logits.shape[:2], grid, grid, 2, 2, 2, 2)
    return cells.permute(0, 1, 2, 4, 6, 3, 5, 7).reshape(*logits.shape[:2], 4 * grid, 4 * grid), iou


def _two_way(
    transformer: Any, prompts: Tensor, image: Tensor, position: Tensor, rows: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Tokens (n, T, C) and the image as each prompt sees it, (n, g * g, C)."""
    tokens = prompts
    for layer in transformer.layers:
        if layer.skip_first_layer_pe:
            tokens = attend(layer.self_attn, tokens, tokens, tokens)
        else:
            query = tokens + prompts
            tokens = tokens + attend(layer.self_attn, query, query, tokens)
        tokens = layer.layer_norm1(tokens)
        placed = image + position
        tokens = tokens + read_image(layer.cross_attn_token_to_image, tokens + prompts, placed, image, rows)
        tokens = layer.layer_norm2(tokens)
        tokens = layer.layer_norm3(tokens + layer.mlp(tokens))
        written = write_image(layer.cross_attn_image_to_token, placed, tokens + prompts, tokens, rows)
        image = layer.layer_norm4(rows_of(image, rows) + written)
        rows = None  # from here on the image differs from prompt to prompt
    tokens = tokens + read_image(transformer.final_attn_token_to_image, tokens + prompts, image + position, image, rows)
    return transformer.layer_norm_final_attn(tokens), rows_of(image, rows)


def _upscaled(decoder: Any, image: Tensor, grid: int, given: DecoderInput) -> Tensor:
    """(n, g, g, 2, 2, 2, 2, C / 8): channels of each quarter of each place."""
    norm = decoder.upscale_layer_norm
    half = _twice(decoder.upscale_conv1, image)  # (n, g * g, 2, 2, C / 4)
    if given.finer:
        half = half + rows_of(_laid_out(given.finer[1], grid, 1), given.finer_rows)
    half = decoder.activation(F.layer_norm(half, norm.normalized_shape, norm.weight, norm.bias, norm.eps))
    quarter = _twice(decoder.upscale_conv2, half)  # (n, g * g, 2, 2, 2, 2, C / 8)
    if given.finer:
        quarter = quarter + rows_of(_laid_out(given.finer[0], grid, 2), given.finer_rows)
    activated: Tensor = decoder.activation(quarter)
    return activated


def _twice(convolution: nn.ConvTranspose2d, maps: Tensor) -> Tensor:
    """A transposed 2 x 2 convolution of stride 2 on (..., C): (..., 2, 2, D), what each place becomes."""
    weight = convolution.weight.permute(2, 3, 1, 0)  # (2, 2, D, C)
    bias = None if convolution.bias is None else convolution.bias.repeat(4)
    return F.linear(maps, weight.flatten(0, 2), bias).reshape(*maps.shape[:-1], 2, 2, -1)


def _laid_out(maps: Tensor, grid: int, doublings: int) -> Tensor:
    """(B, D, 2^k g, 2^k g) as (B, g * g, 2, 2, ..., D): the order in which `_twice` makes cells."""
    batch, channels = maps.shape[:2]
    cells = maps.view(batch, channels, *([grid] + [2] * doublings) * 2)
    y, x = range(2, 3 + doublings), range(3 + doublings, 4 + 2 * doublings)
    pairs = [axis for pair in zip(y, x, strict=True) for axis in pair]
    return cells.permute(0, *pairs, 1).reshape(batch, grid * grid, *[2] * (2 * doublings), channels)
