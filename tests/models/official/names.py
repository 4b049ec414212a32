"""Names and shapes of tiny checkpoints as SAM-HQ's, SAM 2's and EdgeTAM's own code names its layers.

Written from the publishers' modules (their `modeling` folders), without transformers and without this package.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from tests.models.official import sam_oracle

Shapes = dict[str, tuple[int, ...]]
WIDTH, HIDDEN, MLP = 8, 16, 32


def sam_hq() -> Shapes:
    """`sam_hq_vit_*.pth`: SAM's tensors, one more token with its perceptron, and the layers that fuse features."""
    shapes = sam_oracle.tiny_shapes()
    shapes["mask_decoder.hf_token.weight"] = (1, HIDDEN)
    _linears(shapes, "mask_decoder.hf_mlp.layers", (HIDDEN, HIDDEN, HIDDEN, 2))
    for name, inputs in (("compress_vit_feat", 32), ("embedding_encoder", HIDDEN)):
        inner = HIDDEN if name == "compress_vit_feat" else HIDDEN // 4
        _layer(shapes, f"mask_decoder.{name}.0", (inputs, inner, 2, 2), inner)
        _layer(shapes, f"mask_decoder.{name}.1", (inner,), inner)
        _layer(shapes, f"mask_decoder.{name}.3", (inner, HIDDEN // 8, 2, 2), HIDDEN // 8)
    _layer(shapes, "mask_decoder.embedding_maskfeature.0", (HIDDEN // 4, HIDDEN // 8, 3, 3), HIDDEN // 4)
    _layer(shapes, "mask_decoder.embedding_maskfeature.1", (HIDDEN // 4,), HIDDEN // 4)
    _layer(shapes, "mask_decoder.embedding_maskfeature.3", (HIDDEN // 8, HIDDEN // 4, 3, 3), HIDDEN // 8)
    return shapes


def sam2(blocks: Iterable[int] = (1, 1, 2, 1), version: str = "2.1") -> Shapes:
    """`sam2_hiera_*.pt` or `sam2.1_hiera_*.pt`, what is under "model"."""
    trunk = "image_encoder.trunk"
    shapes: Shapes = {f"{trunk}.pos_embed": (1, WIDTH, 4, 4), f"{trunk}.pos_embed_window": (1, WIDTH, 4, 4)}
    _layer(shapes, f"{trunk}.patch_embed.proj", (WIDTH, 3, 7, 7), WIDTH)
    number, before = 0, WIDTH
    for stage, depth in enumerate(blocks):
        width = WIDTH * 2**stage
        for _ in range(depth):
            block = f"{trunk}.blocks.{number}"
            _layer(shapes, f"{block}.norm1", (before,), before)
            _layer(shapes, f"{block}.attn.qkv", (3 * width, before), 3 * width)
            _layer(shapes, f"{block}.attn.proj", (width, width), width)
            _layer(shapes, f"{block}.norm2", (width,), width)
            _linears(shapes, f"{block}.mlp.layers", (width, 4 * width, width))
            if before != width:
                _layer(shapes, f"{block}.proj", (width, before), width)
            number, before = number + 1, width
    for level in range(4):
        _layer(shapes, f"image_encoder.neck.convs.{level}.conv", (HIDDEN, before // 2**level, 1, 1), HIDDEN)
    return shapes | _prompts_and_decoder() | video_part(version)


def edgetam(backbone: Shapes, channels: Iterable[int]) -> Shapes:
    """`edgetam.pt`, what is under "model".

    Args:
        backbone: timm's tensors of the encoder.
        channels: of its features, from coarse to fine.
    """
    shapes = {f"image_encoder.trunk.body.{name}": shape for name, shape in backbone.items()}
    for level, width in enumerate(channels):
        _layer(shapes, f"image_encoder.neck.convs.{level}.conv", (HIDDEN, width, 1, 1), HIDDEN)
    return shapes | _prompts_and_decoder() | video_part("2.0") | {"spatial_perceiver.latents": (4, HIDDEN)}


def video_part(version: str) -> Shapes:
    """A few of the tensors that are for videos alone."""
    shapes: Shapes = {
        "maskmem_tpos_enc": (7, 1, 1, 4),
        "no_mem_pos_enc": (1, 1, HIDDEN),
        "no_obj_ptr": (1, HIDDEN),
    }
    _layer(shapes, "mask_downsample", (1, 1, 4, 4), 1)
    _layer(shapes, "memory_attention.layers.0.self_attn.q_proj", (HIDDEN, HIDDEN), HIDDEN)
    _layer(shapes, "memory_attention.norm", (HIDDEN,), HIDDEN)
    _layer(shapes, "memory_encoder.pix_feat_proj", (HIDDEN, HIDDEN, 1, 1), HIDDEN)
    _linears(shapes, "obj_ptr_proj.layers", (HIDDEN, HIDDEN, HIDDEN, HIDDEN))
    if version == "2.1":
        shapes["no_obj_embed_spatial"] = (1, 4)
        _layer(shapes, "obj_ptr_tpos_proj", (4, HIDDEN), 4)
    return shapes


def _prompts_and_decoder() -> Shapes:
    shapes: Shapes = {"no_mem_embed": (1, 1, HIDDEN)}
    for name, shape in sam_oracle.tiny_shapes().items():
        if name.startswith(("prompt_encoder.", "mask_decoder.")):
            shapes["sam_" + name.replace(".mlp.lin1.", ".mlp.layers.0.").replace(".mlp.lin2.", ".mlp.layers.1.")] = (
                shape
            )
    shapes["sam_mask_decoder.obj_score_token.weight"] = (1, HIDDEN)
    _linears(shapes, "sam_mask_decoder.pred_obj_score_head.layers", (HIDDEN, HIDDEN, HIDDEN, 1))
    _layer(shapes, "sam_mask_decoder.conv_s0", (HIDDEN // 8, HIDDEN, 1, 1), HIDDEN // 8)
    _layer(shapes, "sam_mask_decoder.conv_s1", (HIDDEN // 4, HIDDEN, 1, 1), HIDDEN // 4)
    return shapes


def _layer(shapes: Shapes, name: str, weight: tuple[int, ...], bias: int) -> None:
    shapes[f"{name}.weight"], shapes[f"{name}.bias"] = weight, (bias,)


def _linears(shapes: Shapes, name: str, widths: tuple[int, ...]) -> None:
    for index, (inner, out) in enumerate(pairwise(widths)):
        _layer(shapes, f"{name}.{index}", (out, inner), out)
