"""What the original `segment_anything` computes, written out plainly from tensors under its own names.

Slow and for one image and one prompt at a time; it uses neither transformers nor this package, so that names
that are swapped, or prompts that are asked otherwise than the original does, show in the numbers.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

DECODER_HEADS = 8
Weights = dict[str, Tensor]


def tiny_shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of a checkpoint of `tests.tiny`'s architecture, as the original has them."""

    def linear(name: str, out: int, inner: int) -> None:
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (out, inner), (out,)

    def norm(name: str, width: int) -> None:
        shapes[f"{name}.weight"] = shapes[f"{name}.bias"] = (width,)

    shapes: dict[str, tuple[int, ...]] = {
        "image_encoder.pos_embed": (1, 4, 4, 32),
        "image_encoder.patch_embed.proj.weight": (32, 3, 16, 16),
        "image_encoder.patch_embed.proj.bias": (32,),
        "image_encoder.neck.0.weight": (16, 32, 1, 1),
        "image_encoder.neck.2.weight": (16, 16, 3, 3),
        "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix": (2, 8),
        "prompt_encoder.not_a_point_embed.weight": (1, 16),
        "prompt_encoder.no_mask_embed.weight": (1, 16),
        "prompt_encoder.mask_downscaling.0.weight": (2, 1, 2, 2),
        "prompt_encoder.mask_downscaling.0.bias": (2,),
        "prompt_encoder.mask_downscaling.3.weight": (8, 2, 2, 2),
        "prompt_encoder.mask_downscaling.3.bias": (8,),
        "prompt_encoder.mask_downscaling.6.weight": (16, 8, 1, 1),
        "prompt_encoder.mask_downscaling.6.bias": (16,),
        "mask_decoder.iou_token.weight": (1, 16),
        "mask_decoder.mask_tokens.weight": (4, 16),
        "mask_decoder.output_upscaling.0.weight": (16, 4, 2, 2),
        "mask_decoder.output_upscaling.0.bias": (4,),
        "mask_decoder.output_upscaling.3.weight": (4, 2, 2, 2),
        "mask_decoder.output_upscaling.3.bias": (2,),
    }
    for block, window in enumerate([3, 4]):  # the second is global: as wide as the grid
        name = f"image_encoder.blocks.{block}"
        norm(f"{name}.norm1", 32)
        norm(f"{name}.norm2", 32)
        shapes[f"{name}.attn.rel_pos_h"] = shapes[f"{name}.attn.rel_pos_w"] = (2 * window - 1, 16)
        linear(f"{name}.attn.qkv", 96, 32)
        linear(f"{name}.attn.proj", 32, 32)
        linear(f"{name}.mlp.lin1", 64, 32)
        linear(f"{name}.mlp.lin2", 32, 64)
    norm("image_encoder.neck.1", 16)
    norm("image_encoder.neck.3", 16)
    for kind in range(4):
        shapes[f"prompt_encoder.point_embeddings.{kind}.weight"] = (1, 16)
    norm("prompt_encoder.mask_downscaling.1", 2)
    norm("prompt_encoder.mask_downscaling.4", 8)
    attentions = {"mask_decoder.transformer.final_attn_token_to_image": 8}
    for layer in range(2):
        name = f"mask_decoder.transformer.layers.{layer}"
        attentions |= {
            f"{name}.self_attn": 16,
            f"{name}.cross_attn_token_to_image": 8,
            f"{name}.cross_attn_image_to_token": 8,
        }
        for i in range(1, 5):
            norm(f"{name}.norm{i}", 16)
        linear(f"{name}.mlp.lin1", 32, 16)
        linear(f"{name}.mlp.lin2", 16, 32)
    for name, inner in attentions.items():
        for projection in ("q_proj", "k_proj", "v_proj"):
            linear(f"{name}.{projection}", inner, 16)
        linear(f"{name}.out_proj", 16, inner)
    norm("mask_decoder.transformer.norm_final_attn", 16)
    norm("mask_decoder.output_upscaling.1", 4)
    perceptrons = {f"output_hypernetworks_mlps.{i}": 2 for i in range(4)} | {"iou_prediction_head": 4}
    for name, out in perceptrons.items():
        linear(f"mask_decoder.{name}.layers.0", 16, 16)
        linear(f"mask_decoder.{name}.layers.1", 16, 16)
        linear(f"mask_decoder.{name}.layers.2", out, 16)
    return shapes


def _linear(w: Weights, name: str, x: Tensor) -> Tensor:
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def _norm(w: Weights, name: str, x: Tensor, eps: float = 1e-6) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"], eps)


def _norm2d(w: Weights, name: str, x: Tensor) -> Tensor:
    return _norm(w, name, x.movedim(1, -1)).movedim(-1, 1)


def _attend(w: Weights, name: str, x: Tensor, heads: int) -> Tensor:
    """Self-attention of one (s, s, d) window with decomposed relative positions."""
    side, _, width = x.shape
    q, k, v = (part.reshape(side * side, heads, -1) for part in _linear(w, f"{name}.qkv", x).split(width, -1))
    out = torch.empty(side * side, heads, width // heads)
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    rows, columns = rows.flatten(), columns.flatten()
    vertical = w[f"{name}.rel_pos_h"][rows[:, None] - rows[None] + side - 1]
    horizontal = w[f"{name}.rel_pos_w"][columns[:, None] - columns[None] + side - 1]
    for head in range(heads):
        query = q[:, head]
        score = query @ k[:, head].T / math.sqrt(query.shape[-1])
        score += (query[:, None] * vertical).sum(-1) + (query[:, None] * horizontal).sum(-1)
        out[:, head] = score.softmax(-1) @ v[:, head]
    return _linear(w, f"{name}.proj", out.reshape(side, side, width))


def encode(w: Weights, pixels: Tensor, heads: int = 2) -> Tensor:
    """(3, 64, 64) normalised pixels -> (16, 4, 4) features."""
    x = F.conv2d(pixels[None], w["image_encoder.patch_embed.proj.weight"], stride=16)
    x = x[0].movedim(0, -1) + w["image_encoder.patch_embed.proj.bias"] + w["image_encoder.pos_embed"][0]
    grid = len(x)
    for block in range(2):
        name = f"image_encoder.blocks.{block}"
        window = (len(w[f"{name}.attn.rel_pos_h"]) + 1) // 2
        padded = math.ceil(grid / window) * window
        y = torch.zeros(padded, padded, x.shape[-1])
        y[:grid, :grid] = _norm(w, f"{name}.norm1", x)
        for top in range(0, padded, window):
            for left in range(0, padded, window):
                place = slice(top, top + window), slice(left, left + window)
                y[place] = _attend(w, f"{name}.attn", y[place].clone(), heads)
        x = x + y[:grid, :grid]
        hidden = F.gelu(_linear(w, f"{name}.mlp.lin1", _norm(w, f"{name}.norm2", x)))
        x = x + _linear(w, f"{name}.mlp.lin2", hidden)
    y = F.conv2d(x.movedim(-1, 0)[None], w["image_encoder.neck.0.weight"])
    y = _norm2d(w, "image_encoder.neck.1", y)
    y = F.conv2d(y, w["image_encoder.neck.2.weight"], padding=1)
    return _norm2d(w, "image_encoder.neck.3", y)[0]


def _position(w: Weights, xy: Tensor) -> Tensor:
    """Random Fourier code of (..., 2) places in [0, 1]."""
    phase = 2 * math.pi * ((2 * xy - 1) @ w["prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"])
    return torch.cat([phase.sin(), phase.cos()], -1)


def _multihead(w: Weights, name: str, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    q, k, v = (_linear(w, f"{name}.{part}_proj", x) for part, x in (("q", q), ("k", k), ("v", v)))
    out = [
        (a @ b.T / math.sqrt(a.shape[-1])).softmax(-1) @ c
        for a, b, c in zip(*(x.chunk(DECODER_HEADS, -1) for x in (q, k, v)), strict=True)
    ]
    return _linear(w, f"{name}.out_proj", torch.cat(out, -1))


def _perceptron(w: Weights, name: str, x: Tensor) -> Tensor:
    x = F.relu(_linear(w, f"{name}.layers.0", x))
    return _linear(w, f"{name}.layers.2", F.relu(_linear(w, f"{name}.layers.1", x)))


def decode(
    w: Weights,
    features: Tensor,
    box: Tensor | None = None,
    points: list[tuple[float, float, int]] | None = None,
    mask: Tensor | None = None,
    input_size: int = 64,
    output: int = 0,
) -> tuple[Tensor, Tensor]:
    """(16, g, g) features and one prompt -> (4 g, 4 g) logits and the predicted IoU.

    Output 0 is the single mask, 1 to 3 are those for prompts with several meanings.
    """
    kinds = [w[f"prompt_encoder.point_embeddings.{i}.weight"] for i in range(4)]
    sparse = [torch.zeros(0, 16)]
    for x, y, label in points or []:
        code = _position(w, (torch.tensor([[x, y]]) + 0.5) / input_size)
        sparse.append(code + kinds[label])
    if points and box is None:
        sparse.append(w["prompt_encoder.not_a_point_embed.weight"])
    if box is not None:
        corners = _position(w, (box.reshape(2, 2) + 0.5) / input_size)
        sparse += [corners[:1] + kinds[2], corners[1:] + kinds[3]]
    if mask is None:
        dense = w["prompt_encoder.no_mask_embed.weight"].T[..., None]
    else:
        name = "prompt_encoder.mask_downscaling"
        x = mask[None, None]
        for conv, norm in ((0, 1), (3, 4)):
            x = F.conv2d(x, w[f"{name}.{conv}.weight"], w[f"{name}.{conv}.bias"], stride=2)
            x = F.gelu(_norm2d(w, f"{name}.{norm}", x))
        dense = F.conv2d(x, w[f"{name}.6.weight"], w[f"{name}.6.bias"])[0]

    channels, grid, _ = features.shape
    tokens = torch.cat([w["mask_decoder.iou_token.weight"], w["mask_decoder.mask_tokens.weight"], *sparse])
    keys = (features + dense).reshape(channels, -1).T
    centres = (torch.arange(grid) + 0.5) / grid
    places = torch.stack(torch.meshgrid(centres, centres, indexing="xy"), -1)
    key_position = _position(w, places).reshape(-1, channels)
    queries = tokens
    for layer in range(2):
        name = f"mask_decoder.transformer.layers.{layer}"
        if layer == 0:
            queries = _multihead(w, f"{name}.self_attn", queries, queries, queries)
        else:
            q = queries + tokens
            queries = queries + _multihead(w, f"{name}.self_attn", q, q, queries)
        queries = _norm(w, f"{name}.norm1", queries, 1e-5)
        cross = f"{name}.cross_attn_token_to_image"
        queries = queries + _multihead(w, cross, queries + tokens, keys + key_position, keys)
        queries = _norm(w, f"{name}.norm2", queries, 1e-5)
        hidden = F.relu(_linear(w, f"{name}.mlp.lin1", queries))
        queries = _norm(w, f"{name}.norm3", queries + _linear(w, f"{name}.mlp.lin2", hidden), 1e-5)
        cross = f"{name}.cross_attn_image_to_token"
        keys = keys + _multihead(w, cross, keys + key_position, queries + tokens, queries)
        keys = _norm(w, f"{name}.norm4", keys, 1e-5)
    final = "mask_decoder.transformer.final_attn_token_to_image"
    queries = queries + _multihead(w, final, queries + tokens, keys + key_position, keys)
    queries = _norm(w, "mask_decoder.transformer.norm_final_attn", queries, 1e-5)

    up = "mask_decoder.output_upscaling"
    x = keys.T.reshape(1, channels, grid, grid)
    x = F.conv_transpose2d(x, w[f"{up}.0.weight"], w[f"{up}.0.bias"], stride=2)
    x = F.gelu(_norm2d(w, f"{up}.1", x))
    x = F.gelu(F.conv_transpose2d(x, w[f"{up}.3.weight"], w[f"{up}.3.bias"], stride=2))
    weights = _perceptron(w, f"mask_decoder.output_hypernetworks_mlps.{output}", queries[1 + output])
    iou = _perceptron(w, "mask_decoder.iou_prediction_head", queries[0])[output]
    return (weights[:, None, None] * x[0]).sum(0), iou
