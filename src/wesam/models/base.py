"""The one interface through which every method sees a promptable segmentation network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager

from torch import Tensor, nn

from wesam.types import MaskPrediction, MultimaskPrediction, Prompts


class Segmenter(nn.Module, ABC):
    """A SAM-like network: an image encoder that is run once an image and a decoder run once a prompt.

    Attributes:
        name: what the user asked for (hub id, path or bundled name); goes into run records.
        input_size: side S of the encoder's square input, in pixels.
        feature_grid: side g of the encoder's feature map.
        mask_grid: side m of the decoder's mask logits (SAM: 4 g). The whole padded input maps onto it.
        pixel_mean, pixel_std: RGB statistics for pixels in [0, 1].
    """

    name: str
    input_size: int
    feature_grid: int
    mask_grid: int
    pixel_mean: tuple[float, float, float]
    pixel_std: tuple[float, float, float]

    @abstractmethod
    def encode(self, pixels: Tensor) -> Tensor:
        """Features of a batch of images.

        Args:
            pixels: (B, 3, S, S) normalised by `pixel_mean` / `pixel_std`, padded with 0 at the bottom right.

        Returns:
            (B, C, g, g) features.
        """

    @abstractmethod
    def decode(self, features: Tensor, prompts: Prompts, image_index: Tensor) -> MaskPrediction:
        """One mask for each prompt (SAM's single-mask output), in the order of the prompts.

        Prompts of several images go in one call, and run in chunks of bounded memory: an image with one
        instance and one with 400 share a batch.

        Args:
            features: (B, C, g, g) of `encode`.
            prompts: N prompts in the input frame.
            image_index: (N,) int64, which of the B images each prompt belongs to.

        Returns:
            logits (N, m, m) over the whole padded input, and the predicted IoU (N,).
        """

    @abstractmethod
    def decode_multimask(self, features: Tensor, prompts: Prompts, image_index: Tensor) -> MultimaskPrediction:
        """Several masks for each prompt (SAM's three multimask outputs), in the order of the prompts.

        Args:
            features, prompts, image_index: as for `decode`.

        Returns:
            logits (N, K, m, m) over the whole padded input, and the predicted IoU (N, K).
        """

    @abstractmethod
    def anchor(self) -> AbstractContextManager[None]:
        """Within this context the network is the pristine source model (the adapter is switched off)."""
