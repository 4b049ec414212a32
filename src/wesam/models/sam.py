"""Segment Anything (Kirillov et al. 2023, arXiv 2304.02643) over transformers' `SamModel`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from peft import PeftModel
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from wesam.errors import WesamError
from wesam.models.base import Segmenter
from wesam.types import NOT_A_POINT, MaskPrediction, MultimaskPrediction, Prompts

if TYPE_CHECKING:
    from transformers import SamModel

    from wesam.updates.lora import LoraSettings

Precision = Literal["fp32", "bf16", "fp16"]

# The RGB statistics that SAM was trained with (those of ImageNet), for pixels in [0, 1].
SAM_PIXEL_MEAN = (0.485, 0.456, 0.406)
SAM_PIXEL_STD = (0.229, 0.224, 0.225)

_AUTOCAST = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
# Feature tokens that one decoder chunk holds: 16 prompts for SAM's 64 x 64 features, 256 for 16 x 16. More than one
# chunk means that a training step decodes twice (see `decode_chunk`), which is dearer than the memory it saves.
_CHUNK_TOKENS = 16 * 64 * 64


class SamSegmenter(Segmenter):
    """A `SamModel` behind the interface. It is frozen; `updates.lora.add_lora` makes it learn.

    Attributes:
        network: the `SamModel`, or the `PeftModel` around it once it has an adapter.
        lora: the settings of the adapter where it was made by this package, else None.
        precision: what the encoder and the decoder compute in (autocast), whatever autocast the caller is
            in. Weights, prompt encoding and results are always float32: SAM's random positional frequencies
            turn the rounding of a bf16 coordinate into another place.
        decode_chunk: how many prompts the decoder runs at once. Where gradients flow, only one chunk's
            intermediate values are kept and the others are computed again in the backward pass.
    """

    def __init__(
        self,
        model: SamModel,
        name: str,
        precision: Precision = "fp32",
        pixel_mean: tuple[float, float, float] = SAM_PIXEL_MEAN,
        pixel_std: tuple[float, float, float] = SAM_PIXEL_STD,
        decode_chunk: int | None = None,
    ) -> None:
        super().__init__()
        vision = model.config.vision_config
        self.network: Any = model.requires_grad_(False)
        self.lora: LoraSettings | None = None
        self.name = name
        self.precision: Precision = precision
        self.input_size = int(vision.image_size)
        self.feature_grid = self.input_size // int(vision.patch_size)
        self.mask_grid = 4 * self.feature_grid
        self.pixel_mean = pixel_mean
        self.pixel_std = pixel_std
        self.decode_chunk = decode_chunk or max(1, _CHUNK_TOKENS // self.feature_grid**2)

    @property
    def sam(self) -> Any:
        """The `SamModel` itself; its encoder layers carry the adapter where there is one."""
        return self.network.get_base_model() if isinstance(self.network, PeftModel) else self.network

    def encode(self, pixels: Tensor) -> Tensor:
        if pixels.ndim != 4 or pixels.shape[1:] != (3, self.input_size, self.input_size):
            raise ValueError(f"expected pixels (B, 3, {self.input_size}, {self.input_size}), got {tuple(pixels.shape)}")
        with self._autocast(pixels.device):
            features: Tensor = self.sam.vision_encoder(pixels).last_hidden_state
        return features.float()

    def decode(self, features: Tensor, prompts: Prompts, image_index: Tensor) -> MaskPrediction:
        """See `Segmenter.decode`.

        Raises:
            ValueError: if `image_index` or the mask prompts have another shape than the contract says.
            WesamError: if a prompt has neither box nor points nor mask.
        """
        logits, iou = self._decode(features, prompts, image_index, multimask=False)
        return MaskPrediction(logits[:, 0], iou[:, 0])

    def decode_multimask(self, features: Tensor, prompts: Prompts, image_index: Tensor) -> MultimaskPrediction:
        """See `Segmenter.decode_multimask`; raises what `decode` raises."""
        return MultimaskPrediction(*self._decode(features, prompts, image_index, multimask=True))

    def _decode(
        self, features: Tensor, prompts: Prompts, image_index: Tensor, multimask: bool
    ) -> tuple[Tensor, Tensor]:
        """(N, K, m, m) logits and (N, K) predicted IoU; K is 1 unless `multimask`."""
        if image_index.shape != (len(prompts),):
            raise ValueError(f"expected image_index ({len(prompts)},), got {tuple(image_index.shape)}")
        if prompts.masks is not None and prompts.masks.shape[1:] != (self.mask_grid, self.mask_grid):
            raise ValueError(
                f"expected mask prompts (N, {self.mask_grid}, {self.mask_grid}), got {tuple(prompts.masks.shape)}"
            )
        if len(prompts) == 0:
            outputs = int(self.sam.config.mask_decoder_config.num_multimask_outputs) if multimask else 1
            return features.new_zeros(0, outputs, self.mask_grid, self.mask_grid), features.new_zeros(0, outputs)

        with torch.autocast(features.device.type, enabled=False):
            position = self.sam.get_image_wide_positional_embeddings()
        groups = _group_by_kind(prompts)
        parts = []
        for group in groups:
            index = image_index if len(groups) == 1 else image_index[group.rows]
            parts += self._decode_group(features, position, group.prompts, index, multimask)
        logits, iou = torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])
        if len(groups) == 1:
            return logits, iou
        order = torch.cat([group.rows for group in groups]).argsort()
        return logits[order], iou[order]

    def _decode_group(
        self, features: Tensor, position: Tensor, prompts: Prompts, image_index: Tensor, multimask: bool
    ) -> list[tuple[Tensor, Tensor]]:
        """(n, K, m, m) logits and (n, K) IoU of each chunk of prompts that all are of one kind."""
        chunks = range(0, len(prompts), self.decode_chunk)
        recompute = torch.is_grad_enabled() and len(chunks) > 1
        parts = []
        for start in chunks:
            rows = slice(start, start + self.decode_chunk)
            arguments = (features, position, prompts[rows], image_index[rows], multimask)
            parts.append(
                # SAM's decoder draws no random numbers: keeping their state would only cost a host sync.
                checkpoint(self._decode_chunk, *arguments, use_reentrant=False, preserve_rng_state=False)
                if recompute
                else self._decode_chunk(*arguments)
            )
        return parts

    def _decode_chunk(
        self, features: Tensor, position: Tensor, prompts: Prompts, image_index: Tensor, multimask: bool
    ) -> tuple[Tensor, Tensor]:
        """Each prompt is one row of the batch, with its own copy of the features."""
        with torch.autocast(features.device.type, enabled=False):
            sparse, dense = self.sam.prompt_encoder(
                input_points=_unsqueezed(prompts.points),
                input_labels=None if prompts.point_labels is None else prompts.point_labels[:, None],
                input_boxes=_unsqueezed(prompts.boxes),
                input_masks=_unsqueezed(prompts.masks),
            )
        with self._autocast(features.device):
            logits, iou = self.sam.mask_decoder(
                image_embeddings=features[image_index],
                image_positional_embeddings=position.expand(len(prompts), -1, -1, -1),
                sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense,
                multimask_output=multimask,
            )
        return logits[:, 0].float(), iou[:, 0].float()

    @contextmanager
    def anchor(self) -> Iterator[None]:
        if not isinstance(self.network, PeftModel):
            yield
            return
        # peft's context ends with every adapter weight trainable, also those of an adapter loaded frozen.
        trainable = [(weight, weight.requires_grad) for weight in self.network.parameters()]
        try:
            with self.network.disable_adapter():
                yield
        finally:
            for weight, flag in trainable:
                weight.requires_grad_(flag)

    def _autocast(self, device: torch.device) -> torch.autocast:
        # The cache of cast weights is off: under it a cast made without gradients (the anchor, a teacher with
        # swapped weights) would serve a later pass in an outer autocast, with old values and no gradient.
        return torch.autocast(
            device.type,
            dtype=_AUTOCAST[self.precision] if self.precision != "fp32" else None,
            enabled=self.precision != "fp32",
            cache_enabled=False,
        )


def _unsqueezed(part: Tensor | None) -> Tensor | None:
    return None if part is None else part[:, None].float()


@dataclass(frozen=True)
class _Group:
    """Prompts that hold the same parts, and which rows of the whole they were."""

    prompts: Prompts
    rows: Tensor


def _group_by_kind(prompts: Prompts) -> list[_Group]:
    """Splits prompts by what they hold, without padding: SAM sees a padding point as a token of its own.

    Official SAM asks one kind at a time. A box beside two clicks and a box alone have different numbers of
    tokens, and clicks without a box get SAM's "not a point" token while clicks beside a box do not.
    """
    device = next(part.device for part in (prompts.boxes, prompts.points, prompts.masks) if part is not None)
    if prompts.points is None and (prompts.boxes is None) != (prompts.masks is None):
        # One part alone: every prompt has it, and the host need not wait for the values.
        return [_Group(prompts, torch.arange(len(prompts), device=device))]

    none = torch.zeros(len(prompts), dtype=torch.long, device=device)
    boxes = none if prompts.boxes is None else (~prompts.boxes.isnan().any(1)).long()
    masks = none if prompts.masks is None else (~prompts.masks[:, 0, 0].isnan()).long()
    points = none if prompts.point_labels is None else (prompts.point_labels != NOT_A_POINT).sum(1)
    kinds: dict[tuple[int, int, int], list[int]] = {}
    for row, (box, mask, count) in enumerate(torch.stack([boxes, masks, points], 1).tolist()):
        kinds.setdefault((box, mask, count), []).append(row)
    if (0, 0, 0) in kinds:
        raise WesamError(f"prompts: expected a box, points or a mask for each, got none at row {kinds[0, 0, 0][0]}")

    groups = []
    for (box, mask, count), members in kinds.items():
        rows = torch.tensor(members, device=device)
        part = prompts if len(kinds) == 1 else prompts[rows]
        coordinates, labels = _real_points(part, count)
        only = Prompts(part.boxes if box else None, coordinates, labels, part.masks if mask else None)
        groups.append(_Group(only, rows))
    return groups


def _real_points(prompts: Prompts, count: int) -> tuple[Tensor | None, Tensor | None]:
    """The `count` points of each prompt that are not padding, in order: (N, count, 2) and (N, count)."""
    if prompts.points is None or prompts.point_labels is None or count == 0:
        return None, None
    if count == prompts.points.shape[1]:
        return prompts.points, prompts.point_labels
    order = (prompts.point_labels == NOT_A_POINT).int().argsort(dim=1, stable=True)[:, :count]
    return prompts.points.gather(1, order[..., None].expand(-1, -1, 2)), prompts.point_labels.gather(1, order)
