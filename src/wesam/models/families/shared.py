"""What the families over transformers have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from wesam.errors import WesamError
from wesam.frames.input_format import Pixel
from wesam.models.family import Answer
from wesam.models.features import Features
from wesam.models.mask_decoder import DecoderInput
from wesam.types import Prompts

# The RGB statistics of ImageNet, which SAM, SAM-HQ, SAM 2 and EdgeTAM were trained with, for pixels in [0, 1].
IMAGENET_MEAN: Pixel = (0.485, 0.456, 0.406)
IMAGENET_STD: Pixel = (0.229, 0.224, 0.225)


#: The mask tokens that an answer is drawn from.
WANTED: Mapping[Answer, slice] = {
    "single": slice(1),
    "published": slice(1),
    "several": slice(1, None),
    "every": slice(None),
}


class EmbeddedPrompts(NamedTuple):
    """What the prompt encoder makes of n prompts, each a batch of its own.

    Attributes:
        sparse: (n, 1, tokens, C); None where a prompt is a mask alone.
        dense: (n, C, g, g).
        position: (n, C, g, g), the code of each place of the features.
    """

    sparse: Tensor | None
    dense: Tensor
    position: Tensor


def embed_prompts(network: Any, prompts: Prompts) -> EmbeddedPrompts:
    """Prompts through a network's prompt encoder, in float32 whatever the autocast of the caller.

    The families' random positional frequencies turn the rounding of a bf16 coordinate into another place. Each
    prompt is one row of the batch, since a mask prompt is added to the features of a whole row.
    """
    parts = (prompts.boxes, prompts.points, prompts.masks)
    device = next(part.device for part in parts if part is not None)
    with torch.autocast(device.type, enabled=False):
        sparse, dense = network.prompt_encoder(
            input_points=_row_each(prompts.points),
            input_labels=None if prompts.point_labels is None else prompts.point_labels[:, None],
            input_boxes=_row_each(prompts.boxes),
            input_masks=_row_each(prompts.masks),
        )
        position = network.get_image_wide_positional_embeddings()
    return EmbeddedPrompts(sparse, dense, position.expand(len(prompts), -1, -1, -1))


def decoder_input(
    network: Any, features: Features, prompts: Prompts, image_index: Tensor, outputs: Tensor, first_mask: int
) -> DecoderInput:
    """What `draw_masks` reads of n prompts.

    Args:
        network, features, prompts, image_index: as of `Family.decode`.
        outputs: (T, C), the family's output tokens.
        first_mask: see `DecoderInput`.
    """
    embedded = embed_prompts(network, prompts)
    tokens = outputs.expand(len(prompts), -1, -1)
    if embedded.sparse is not None:
        tokens = torch.cat([tokens, embedded.sparse[:, 0]], 1)
    alike = prompts.masks is None  # the dense prompt then is one and the same
    return DecoderInput(
        image=features.pooled + embedded.dense[:1] if alike else features.pooled[image_index] + embedded.dense,
        rows=image_index if alike else None,
        position=embedded.position[:1],
        tokens=tokens,
        first_mask=first_mask,
        finer=features.extra,
        finer_rows=image_index,
    )


def _row_each(part: Tensor | None) -> Tensor | None:
    return None if part is None else part[:, None].float()


def pixel_statistics(processor: Mapping[str, Any], mean: Pixel, std: Pixel) -> tuple[Pixel, Pixel]:
    """Mean and standard deviation that an image processor names, or the family's own where it names none.

    Raises:
        WesamError: if it names other than three of each.
    """
    named = processor.get("image_mean", mean), processor.get("image_std", std)
    for field, values in zip(("image_mean", "image_std"), named, strict=True):
        if len(values) != 3:
            raise WesamError(f"{field} of the image processor: expected 3 values, got {values}")
    (r, g, b), (sr, sg, sb) = named
    return (r, g, b), (sr, sg, sb)
