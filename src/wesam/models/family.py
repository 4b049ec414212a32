"""What the segmenter must be told of a model family: one file each in `models/families/`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Literal, Protocol

from torch import Tensor, nn

from wesam.frames.input_format import InputFormat
from wesam.models.features import Features
from wesam.types import Prompts

# Parts of a network that an update may change.
Target = Literal["attention", "linear", "norms", "tokens", "encoder", "decoder"]

# Which masks a prompt gets: "single" the mask of the decoder's single-mask token, always; "published" the one mask that
# the published model gives, which may be another where that one is not stable (SAM 2); "several" K of them; "every" the
# single one and, behind it, the several.
Answer = Literal["single", "published", "several", "every"]


class Family(Protocol):
    """A kind of promptable network. It holds no weights: the network is passed in.

    Attributes:
        model_type: as in the configuration of a transformers folder.
        also: further model types whose folders hold a network of this family.
        image_processor, processor: the names of transformers' classes that prepare its inputs.
        targets: for each target a pattern that the whole name of a layer matches ("encoder" and "decoder": of every
            weight within). Under "attention" stand the projections that make queries, keys and values, apart or
            fused; under "tokens" the layers that the tokens come from which enter the blocks, and the last of all.
        block: matches the part of a layer's name that tells which block of the encoder it is in; blocks come in the
            order of `named_modules`.
        stem: the layer of the encoder that reads the pixels, before all blocks; "" where nothing that the blocks say
            may be remembered (`models.trunk`).
        learning_rate: of a run whose user names none, for the default update.
    """

    model_type: str
    also: tuple[str, ...]
    image_processor: str
    processor: str
    targets: Mapping[Target, str]
    block: str
    stem: str
    learning_rate: float

    def load(self, source: str, local: bool) -> nn.Module:
        """Reads a folder or hub id: float32 weights, in evaluation mode.

        Args:
            source: folder, or hub id.
            local: whether the network is never asked.

        Raises:
            WesamError: if what is there is not a whole model of this family.
            OSError: if a hub id cannot be reached.
        """

    def input_format(self, config: Any, processor: Mapping[str, Any]) -> InputFormat:
        """What the encoder reads.

        Args:
            config: the network's configuration.
            processor: the image processor's, {} where there is none.
        """

    def outputs(self, config: Any) -> int:
        """How many masks a prompt gets where several are wanted."""

    def landmarks(self, network: Any) -> Collection[str]:
        """Names of the blocks whose answer others than the next block read."""

    def encode(self, network: Any, pixels: Tensor) -> Features:
        """Features of pixels (B, 3, S, S), normalised and padded."""

    def decode(
        self, network: Any, features: Features, prompts: Prompts, image_index: Tensor, answer: Answer
    ) -> tuple[Tensor, Tensor]:
        """The masks of n prompts that all hold the same parts (box, as many points, mask).

        Args:
            network: as of `load`, with an update in it or not.
            features: of `encode`, B images.
            prompts: in the input frame.
            image_index: (n,) int64, which of the B images each prompt belongs to.
            answer: which masks a prompt gets.

        Returns:
            logits (n, K, m, m) over the whole input, and the predicted IoU (n, K).
        """
