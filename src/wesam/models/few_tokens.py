"""Attention between an image of many places and a few tokens, as in SAM's decoder (arXiv 2304.02643, appendix A).

``softmax(q k^T) v`` with ``q = x W_q`` and ``k = y W_k`` is ``softmax(x (W_q W_k^T y^T)) ...``: whichever side is short
can take the projections of both. The image has thousands of places and a prompt some ten tokens, so the image's own
projections, the bulk of the decoder's work, are never made. Results are those of the plain order but for rounding.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from wesam.models.rows import rows_of


def attend(layer: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """transformers' attention of (n, L, C) over (n, M, C), in the plain order."""
    return _plain(layer, layer.q_proj(query), layer.k_proj(key), layer.v_proj(value))


def read_image(layer: Any, tokens: Tensor, placed: Tensor, image: Tensor, rows: Tensor | None) -> Tensor:
    """The tokens attend to the image.

    Args:
        layer: transformers' attention.
        tokens: queries, (n, T, C).
        placed, image: keys and values, (R, L, C).
        rows: (n,) int64, which of the R images each prompt looks at; None where R is n, in order.

    Returns:
        (n, T, C).
    """
    if not _pays(layer, tokens):
        return _plain(
            layer, layer.q_proj(tokens), rows_of(layer.k_proj(placed), rows), rows_of(layer.v_proj(image), rows)
        )
    heads = layer.num_attention_heads
    query = _heads(layer.q_proj(tokens) * layer.scaling, heads)  # (n, T, h, d)
    # The key's bias adds the same to all places of a token's row, which softmax takes away again.
    weight = _by_head(layer.k_proj.weight, heads)  # (h, d, C)
    asked = torch.einsum("nthd,hdc->nhtc", query, weight).flatten(1, 2)  # (n, h T, C)
    scores = asked @ rows_of(placed, rows).transpose(1, 2)
    read = scores.softmax(-1).to(asked.dtype) @ rows_of(image, rows)
    read = read.reshape(len(read), heads, -1, read.shape[2])  # (n, h, T, C)
    weight = _by_head(layer.v_proj.weight, heads)
    answer: Tensor = _out(layer)(torch.einsum("nhtc,hdc->nthd", read, weight).flatten(2) + layer.v_proj.bias)
    return answer


def write_image(layer: Any, placed: Tensor, keys: Tensor, tokens: Tensor, rows: Tensor | None) -> Tensor:
    """The image attends to the tokens.

    Args:
        layer: transformers' attention.
        placed: queries, (R, L, C).
        keys, tokens: keys and values, (n, T, C).
        rows: as for `read_image`.

    Returns:
        (n, L, C).
    """
    if not _pays(layer, tokens):
        return _plain(layer, rows_of(layer.q_proj(placed), rows), layer.k_proj(keys), layer.v_proj(tokens))
    heads, count = layer.num_attention_heads, tokens.shape[1]
    key = _heads(layer.k_proj(keys) * layer.scaling, heads)
    weight = _by_head(layer.q_proj.weight, heads)
    bias = layer.q_proj.bias.reshape(heads, -1)
    asked = torch.einsum("nthd,hdc->nthc", key, weight).flatten(1, 2)  # (n, T h, C)
    shift = torch.einsum("nthd,hd->nth", key, bias).flatten(1)[:, :, None]
    scores = asked @ rows_of(placed, rows).transpose(1, 2) + shift  # (n, T h, L)
    attention = scores.view(len(scores), count, heads, -1).softmax(1).flatten(1, 2)
    out = _out(layer)
    weight = out.weight.reshape(len(out.weight), heads, -1)  # (C, h, d)
    written = torch.einsum("nthd,chd->nthc", _heads(layer.v_proj(tokens), heads), weight)
    written = written + out.bias / heads  # each head's attention sums to 1
    image: Tensor = attention.to(written.dtype).transpose(1, 2) @ written.flatten(1, 2)
    return image


def _pays(layer: Any, tokens: Tensor) -> bool:
    """Whether the tokens are few enough; an adapter of another package may also have put other layers here."""
    projections = (layer.q_proj, layer.k_proj, layer.v_proj, _out(layer))
    if any(type(part) is not nn.Linear for part in projections):
        return False
    return bool(tokens.shape[1] * layer.num_attention_heads <= 2 * layer.q_proj.out_features)


def _plain(layer: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attention of projected (n, L, D) over (n, M, D), recombined and projected to (n, L, C)."""
    q, k, v = (_heads(part, layer.num_attention_heads).transpose(1, 2) for part in (query, key, value))
    read = F.scaled_dot_product_attention(q, k, v, scale=layer.scaling).transpose(1, 2).flatten(2)
    projected: Tensor = _out(layer)(read)
    return projected


def _heads(projected: Tensor, heads: int) -> Tensor:
    return projected.reshape(*projected.shape[:2], heads, -1)


def _by_head(weight: Tensor, heads: int) -> Tensor:
    return weight.reshape(heads, -1, weight.shape[1])


def _out(layer: Any) -> Any:
    return layer.out_proj if hasattr(layer, "out_proj") else layer.o_proj
