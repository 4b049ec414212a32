"""The prompt encoder and the mask decoder, which all publishers' formats name alike.

transformers' names on one side, the publishers' on the other; and what the shapes of the tensors say of both parts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from wesam.models.official.shapes import Shapes

#: The positional frequencies, which transformers holds twice and a publisher once.
FREQUENCIES = "prompt_encoder.shared_embedding.positional_embedding"
SECOND_FREQUENCIES = "shared_image_embedding.positional_embedding"

#: Patterns of transformers' names, and what takes their place.
Rules = Sequence[tuple[str, str]]

RULES: Rules = (
    (r"\.shared_embedding\.positional_embedding$", ".pe_layer.positional_encoding_gaussian_matrix"),
    (r"\.point_embed\.", ".point_embeddings."),
    (r"\.mask_embed\.conv1\.", ".mask_downscaling.0."),
    (r"\.mask_embed\.layer_norm1\.", ".mask_downscaling.1."),
    (r"\.mask_embed\.conv2\.", ".mask_downscaling.3."),
    (r"\.mask_embed\.layer_norm2\.", ".mask_downscaling.4."),
    (r"\.mask_embed\.conv3\.", ".mask_downscaling.6."),
    (r"\.upscale_conv1\.", ".output_upscaling.0."),
    (r"\.upscale_layer_norm\.", ".output_upscaling.1."),
    (r"\.upscale_conv2\.", ".output_upscaling.3."),
    (r"\.layer_norm(\d|_final_attn)\.", r".norm\1."),
)
# The decoder's perceptrons of n layers: proj_in, layers.0, ..., proj_out become layers.0, 1, ..., n - 1.
_PERCEPTRON = re.compile(
    r"(.*(?:output_hypernetworks_mlps\.\d+|iou_prediction_head|hf_mlp|pred_obj_score_head))\.(.*)\.(weight|bias)$"
)
_IOU_LAYER = re.compile(r"mask_decoder\.iou_prediction_head\.layers\.(\d+)\.")


def publisher_name(name: str, rules: Rules, iou_head_depth: int) -> str:
    """The publisher's name of a tensor of transformers'.

    Args:
        name: transformers'; not of the second frequencies.
        rules: the family's own, before those of `RULES`.
        iou_head_depth: layers of the perceptron that predicts the IoU.
    """
    for pattern, replacement in (*rules, *RULES):
        name = re.sub(pattern, replacement, name)
    if match := _PERCEPTRON.match(name):
        head, layer, kind = match.groups()
        last = iou_head_depth - 1 if "iou_prediction_head" in head else 2
        index = {"proj_in": 0, "proj_out": last}.get(layer)
        if index is None:
            index = int(layer.removeprefix("layers.")) + 1
        name = f"{head}.layers.{index}.{kind}"
    return name


def iou_head_depth(names: Mapping[str, object]) -> int:
    """Layers of the perceptron that predicts the IoU, from transformers' names."""
    return 2 + len({match[1] for match in map(_IOU_LAYER.match, names) if match})


def prompt_encoder_settings(shapes: Shapes, input_size: int, patch: int, prefix: str = "") -> dict[str, Any]:
    """The configuration of the prompt encoder.

    Args:
        shapes: of the whole checkpoint.
        input_size: side of the encoder's input, in pixels.
        patch: side of what one cell of the features sees, in pixels.
        prefix: before the part's name.
    """
    part = f"{prefix}prompt_encoder"
    return {
        "hidden_size": shapes.of(f"{part}.no_mask_embed.weight", 2)[1],
        "image_size": input_size,
        "patch_size": patch,
        "mask_input_channels": shapes.of(f"{part}.mask_downscaling.3.weight", 4)[0],
        "num_point_embeddings": shapes.count(rf"{part}\.point_embeddings\.(\d+)\."),
    }


def mask_decoder_settings(shapes: Shapes, prefix: str = "", mlp: str = "lin1") -> dict[str, Any]:
    """The configuration of the mask decoder. Shapes do not tell its heads: they are SAM's eight.

    Args:
        shapes: of the whole checkpoint.
        prefix: before the part's name.
        mlp: the first layer of the transformer's perceptrons.
    """
    part = f"{prefix}mask_decoder"
    masks, hidden = shapes.of(f"{part}.mask_tokens.weight", 2)
    inner = shapes.of(f"{part}.transformer.layers.0.cross_attn_token_to_image.q_proj.weight", 2)[0]
    return {
        "hidden_size": hidden,
        "num_hidden_layers": shapes.count(rf"{part}\.transformer\.layers\.(\d+)\."),
        "mlp_dim": shapes.of(f"{part}.transformer.layers.0.mlp.{mlp}.weight", 2)[0],
        "attention_downsample_rate": max(1, hidden // inner),
        "num_multimask_outputs": masks - 1,
        "iou_head_hidden_dim": shapes.of(f"{part}.iou_prediction_head.layers.0.weight", 2)[0],
        "iou_head_depth": shapes.count(rf"{part}\.iou_prediction_head\.layers\.(\d+)\."),
    }
