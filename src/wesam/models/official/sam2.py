"""SAM 2's and SAM 2.1's own checkpoint format (`sam2.1_hiera_tiny.pt` and its like), both ways.

The two versions differ in their part for videos alone (`video_part`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor
from transformers import Sam2Config, Sam2Model

from wesam.errors import WesamError
from wesam.models.official.decoder import Rules, mask_decoder_settings, prompt_encoder_settings
from wesam.models.official.fill import publisher_tensors, read_network
from wesam.models.official.shapes import Shapes
from wesam.models.official.video_part import keep_video_part, kept_video_part, split_video_part

#: Of all that follow SAM 2's code; the encoder's layers are each family's own.
SHARED_RULES: Rules = (
    (r"^vision_encoder\.neck\.convs\.(\d+)\.", r"image_encoder.neck.convs.\1.conv."),
    (r"^vision_encoder\.backbone\.", "image_encoder.trunk."),
    (r"^no_memory_embedding$", "no_mem_embed"),
    (r"^prompt_encoder\.", "sam_prompt_encoder."),
    (r"^mask_decoder\.", "sam_mask_decoder."),
    (r"\.mlp\.proj_in\.", ".mlp.layers.0."),
    (r"\.mlp\.proj_out\.", ".mlp.layers.1."),
    (r"\.o_proj\.", ".out_proj."),
)
RULES: Rules = (
    *SHARED_RULES,
    (r"\.patch_embed\.projection\.", ".patch_embed.proj."),
)


class Hiera(NamedTuple):
    """What the shapes of an encoder do not tell, by stage from fine to coarse where it is a tuple.

    Attributes:
        width: channels of the first stage; each next has twice as many.
        blocks: how many.
        heads: of the first stage; each next has twice as many.
        windows: side of the windows that the blocks attend in, in cells.
        everywhere: numbers of the blocks that attend to the whole map.
        background: side of the map of positions that is stretched over the input, in cells.
        input_size: side of the input, in pixels.
    """

    width: int
    blocks: tuple[int, ...]
    heads: int
    windows: tuple[int, ...]
    everywhere: tuple[int, ...]
    background: int
    input_size: int = 1024


#: The published sizes: arXiv 2408.00714, appendix C, and the configurations beside the published code.
SIZES: dict[str, Hiera] = {
    "tiny": Hiera(96, (1, 2, 7, 2), 1, (8, 4, 14, 7), (5, 7, 9), 7),
    "small": Hiera(96, (1, 2, 11, 2), 1, (8, 4, 14, 7), (7, 10, 13), 7),
    "base plus": Hiera(112, (2, 3, 16, 3), 2, (8, 4, 14, 7), (12, 16, 20), 14),
    "large": Hiera(144, (2, 6, 36, 4), 2, (8, 4, 16, 8), (23, 33, 43), 7),
}


def from_official(state: Mapping[str, Tensor]) -> Sam2Model:
    """A `Sam2Model` that holds the promptable part of a published checkpoint (shared where it is float32).

    Raises:
        WesamError: if the encoder is of none of the published sizes, or a tensor is missing, unknown or of another
            shape than the others imply.
    """
    promptable, video = split_video_part(state)
    config = config_from_official(promptable)
    model = read_network(promptable, "SAM 2", lambda: Sam2Model(config), RULES)
    keep_video_part(model, video)
    return model


def to_official(model: Sam2Model) -> dict[str, Tensor]:
    """The tensors of a `Sam2Model` under their published names, with the part for videos that it was read with.

    Raises:
        WesamError: if it was read from something without a part for videos.
    """
    return with_video_part(model, RULES, "SAM 2")


def with_video_part(model: Any, rules: Rules, kind: str) -> dict[str, Tensor]:
    """As `to_official`, for all that follow SAM 2's code."""
    video = kept_video_part(model, kind)
    named = publisher_tensors(model.state_dict(), rules)
    return {name: tensor.detach().cpu().contiguous() for name, tensor in (named | video).items()}


def config_from_official(state: Mapping[str, Tensor]) -> Sam2Config:
    """The architecture of a published checkpoint: its size, and what shapes tell.

    Raises:
        WesamError: if the encoder is of none of the published sizes.
    """
    shapes = Shapes(state, "SAM 2")
    size = _size(shapes)
    widths = [size.width * 2**stage for stage in range(len(size.blocks))]
    sides = [size.input_size // stride for stride in (4, 8, 16)]
    backbone = {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": size.width,
        "image_size": [size.input_size] * 2,
        "blocks_per_stage": list(size.blocks),
        "embed_dim_per_stage": widths,
        "num_attention_heads_per_stage": [size.heads * 2**stage for stage in range(len(size.blocks))],
        "window_size_per_stage": list(size.windows),
        "global_attention_blocks": list(size.everywhere),
        "window_positional_embedding_background_size": [size.background] * 2,
    }
    vision = {
        "backbone_config": backbone,
        "backbone_channel_list": widths[::-1],
        "backbone_feature_sizes": [[side, side] for side in sides],
        "fpn_hidden_size": shapes.of("image_encoder.neck.convs.0.conv.weight", 4)[0],
    }
    return Sam2Config(
        vision_config=vision,
        prompt_encoder_config=prompt_encoder_settings(shapes, size.input_size, 16, prefix="sam_"),
        mask_decoder_config=mask_decoder_settings(shapes, prefix="sam_", mlp="layers.0"),
    )


def _size(shapes: Shapes) -> Hiera:
    width = shapes.of("image_encoder.trunk.patch_embed.proj.weight", 4)[0]
    depth = shapes.count(r"image_encoder\.trunk\.blocks\.(\d+)\.")
    found = [size for size in SIZES.values() if (size.width, sum(size.blocks)) == (width, depth)]
    if not found:
        known = ", ".join(f"{name} ({size.width}, {sum(size.blocks)})" for name, size in SIZES.items())
        raise WesamError(
            f"expected a SAM 2 encoder of a published size (width and blocks: {known}), got ({width}, {depth}), whose "
            f"heads and windows a .pt does not tell; give a folder in transformers' format, whose config.json does"
        )
    return found[0]
