"""The one interface through which every method sees a promptable segmentation network, of whatever family."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from wesam.models.families import find_family
from wesam.models.features import Features
from wesam.models.prompt_groups import group_by_kind
from wesam.types import MaskPrediction, MultimaskPrediction, Prompts

if TYPE_CHECKING:
    from wesam.frames.input_format import InputFormat
    from wesam.models.family import Answer, Family

Precision = Literal["fp32", "bf16", "fp16"]

_AUTOCAST = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
# Cells of mask logits that one decoder chunk gives: 16 prompts for SAM's 256 x 256, 256 for 64 x 64. More than one
# chunk means that a training step decodes twice (see `decode_chunk`), which is dearer than the memory it saves.
_CHUNK_CELLS = 16 * 256 * 256


class Learned(Protocol):
    """What a segmenter must know of what learns in it (`updates.update.Update`)."""

    @property
    def renews(self) -> Collection[nn.Module]:
        """Layers whose running statistics are renewed in training mode; those of all others stay."""

    def off(self) -> AbstractContextManager[None]:
        """Within this context the network is the source model, bit for bit."""

    def switches(self) -> str:
        """What, beside its weights, decides how it acts; it takes no time to ask."""


class Remembering(Protocol):
    """What a segmenter must know of what remembers a part of its encoder (`models.trunk.Trunk`)."""

    def encode(self, pixels: Tensor, encode: Callable[[Tensor], Features]) -> Features:
        """What `encode` says of pixels (B, 3, S, S)."""


class Segmenter(nn.Module):
    """A SAM-like network: an image encoder that is run once an image and a decoder run once a prompt.

    It is frozen; `updates` make it learn.

    Args:
        network: of one of the families, or of one that `family` reads.
        name: see below.
        processor: the image processor's configuration, where it names other pixel statistics than the family's.
        family: None looks it up by the network's model type.

    Attributes:
        name: what the user asked for (hub id, path or bundled name); goes into run records.
        family: how networks of this kind are encoded and decoded.
        input: what the encoder reads.
        network: the network; its layers carry the update where there is one.
        update: what learns in it; None where nothing does.
        trunk: remembers what the frozen blocks of the encoder say; None: nothing is remembered.
        precision: what the encoder and the decoder compute in (autocast), whatever autocast the caller is
            in. Weights, prompt encoding and results are always float32: SAM's random positional frequencies
            turn the rounding of a bf16 coordinate into another place.
        as_published: whether the one mask of a prompt is the one that the published model gives, or always that of
            the single-mask token, so that anchor, teacher and student answer with the same. `models.inference` sets it.
        decode_chunk: how many prompts the decoder runs at once. Where gradients flow, only one chunk's
            intermediate values are kept and the others are computed again in the backward pass.

    Raises:
        ValueError: if no family reads the network.
    """

    def __init__(
        self,
        network: nn.Module,
        name: str,
        precision: Precision = "fp32",
        processor: Mapping[str, Any] | None = None,
        family: Family | None = None,
        decode_chunk: int | None = None,
    ) -> None:
        super().__init__()
        config: Any = network.config
        family = family or find_family(config.model_type)
        if family is None:
            raise ValueError(f"expected a network of a known family, got {config.model_type}")
        self.family = family
        self.input: InputFormat = family.input_format(config, processor or {})
        self.network: Any = network.requires_grad_(False)
        self.update: Learned | None = None
        self.name = name
        self.precision: Precision = precision
        self.trunk: Remembering | None = None
        self.as_published = False
        self.decode_chunk = decode_chunk or max(1, _CHUNK_CELLS // self.input.grid**2)

    @property
    def input_size(self) -> int:
        """Side S of the encoder's square input, in pixels."""
        return self.input.size

    @property
    def mask_grid(self) -> int:
        """Side m of the mask logits. The whole input maps onto them."""
        return self.input.grid

    def encode(self, pixels: Tensor) -> Features:
        """Features of a batch of images.

        Args:
            pixels: (B, 3, S, S), as `frames.pixels.to_input` gives them.

        Raises:
            ValueError: if the pixels have another shape.
        """
        if pixels.ndim != 4 or pixels.shape[1:] != (3, self.input_size, self.input_size):
            raise ValueError(f"expected pixels (B, 3, {self.input_size}, {self.input_size}), got {tuple(pixels.shape)}")
        with self._autocast(pixels.device):
            encode = partial(self.family.encode, self.network)
            features = encode(pixels) if self.trunk is None else self.trunk.encode(pixels, encode)
        return features.float()

    def decode(self, features: Features, prompts: Prompts, image_index: Tensor) -> MaskPrediction:
        """One mask for each prompt, in the order of the prompts: see `as_published`.

        Prompts of several images go in one call, and run in chunks of bounded memory: an image with one
        instance and one with 400 share a batch.

        Args:
            features: of `encode`, B images.
            prompts: N prompts in the input frame.
            image_index: (N,) int64, which of the B images each prompt belongs to.

        Returns:
            logits (N, m, m) over the whole input, and the predicted IoU (N,).

        Raises:
            ValueError: if `image_index` or the mask prompts have another shape than the contract says.
            WesamError: if a prompt has neither box nor points nor mask.
        """
        logits, iou = self._decode(features, prompts, image_index, "published" if self.as_published else "single")
        return MaskPrediction(logits[:, 0], iou[:, 0])

    def decode_multimask(self, features: Features, prompts: Prompts, image_index: Tensor) -> MultimaskPrediction:
        """Several masks for each prompt (SAM's three multimask outputs), in the order of the prompts.

        Args:
            features, prompts, image_index: as for `decode`; raises what that raises.

        Returns:
            logits (N, K, m, m) over the whole input, and the predicted IoU (N, K).
        """
        return MultimaskPrediction(*self._decode(features, prompts, image_index, "several"))

    def decode_every(self, features: Features, prompts: Prompts, image_index: Tensor) -> MultimaskPrediction:
        """The mask of the single-mask token and, behind it, those of `decode_multimask`, in one pass of the decoder.

        Args:
            features, prompts, image_index: as for `decode`; raises what that raises.

        Returns:
            logits (N, 1 + K, m, m) over the whole input, and the predicted IoU (N, 1 + K).
        """
        return MultimaskPrediction(*self._decode(features, prompts, image_index, "every"))

    def _decode(
        self, features: Features, prompts: Prompts, image_index: Tensor, answer: Answer
    ) -> tuple[Tensor, Tensor]:
        """(N, K, m, m) logits and (N, K) predicted IoU; K is 1 where the answer is one mask."""
        grid = self.mask_grid
        if image_index.shape != (len(prompts),):
            raise ValueError(f"expected image_index ({len(prompts)},), got {tuple(image_index.shape)}")
        if prompts.masks is not None and prompts.masks.shape[1:] != (grid, grid):
            raise ValueError(f"expected mask prompts (N, {grid}, {grid}), got {tuple(prompts.masks.shape)}")
        if len(prompts) == 0:
            several = self.family.outputs(self.network.config)
            outputs = {"several": several, "every": 1 + several}.get(answer, 1)
            return features.pooled.new_zeros(0, outputs, grid, grid), features.pooled.new_zeros(0, outputs)

        groups = group_by_kind(prompts)
        parts = []
        for group in groups:
            index = image_index if len(groups) == 1 else image_index[group.rows]
            parts += self._decode_group(features, group.prompts, index, answer)
        logits, iou = torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])
        if len(groups) == 1:
            return logits, iou
        order = torch.cat([group.rows for group in groups]).argsort()
        return logits[order], iou[order]

    def _decode_group(
        self, features: Features, prompts: Prompts, image_index: Tensor, answer: Answer
    ) -> list[tuple[Tensor, Tensor]]:
        """(n, K, m, m) logits and (n, K) IoU of each chunk of prompts that all are of one kind."""
        chunks = range(0, len(prompts), self.decode_chunk)
        recompute = torch.is_grad_enabled() and len(chunks) > 1
        parts = []
        for start in chunks:
            rows = slice(start, start + self.decode_chunk)
            arguments = (features, prompts[rows], image_index[rows], answer)
            parts.append(
                # The decoders draw no random numbers: keeping their state would only cost a host sync.
                checkpoint(self._decode_chunk, *arguments, use_reentrant=False, preserve_rng_state=False)
                if recompute
                else self._decode_chunk(*arguments)
            )
        return parts

    def _decode_chunk(
        self, features: Features, prompts: Prompts, image_index: Tensor, answer: Answer
    ) -> tuple[Tensor, Tensor]:
        with self._autocast(features.pooled.device):
            logits, iou = self.family.decode(self.network, features, prompts, image_index, answer)
        return logits.float(), iou.float()

    def anchor(self) -> AbstractContextManager[None]:
        """Within this context the network is the pristine source model (the update is switched off)."""
        return nullcontext() if self.update is None else self.update.off()

    def train(self, mode: bool = True) -> Segmenter:
        """As a module's, but running statistics are the source model's unless the update renews them."""
        super().train(mode)
        renewed = () if self.update is None else self.update.renews
        for module in self.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and module not in renewed:
                module.eval()
        return self

    def _autocast(self, device: torch.device) -> torch.autocast:
        # The cache of cast weights is off: under it a cast made without gradients (the anchor, a teacher with
        # swapped weights) would serve a later pass in an outer autocast, with old values and no gradient.
        return torch.autocast(
            device.type,
            dtype=_AUTOCAST[self.precision] if self.precision != "fp32" else None,
            enabled=self.precision != "fp32",
            cache_enabled=False,
        )
