"""Learned vectors that are added to the encoder's tokens (after visual prompts; Jia et al. 2022, arXiv 2203.12119).

Tokens beside those of the image, as in that paper, do not fit windowed attention; a vector that is added to all does.
A vector added to what enters a block is one added to what leaves the layer before it, which is that layer's bias; so
nothing new is put into the network, and the merged model is a plain one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from wesam.errors import WesamError
from wesam.models.segmenter import Segmenter
from wesam.updates.layers import layer_names
from wesam.updates.own_weights import OwnWeights
from wesam.updates.part import Part
from wesam.updates.settings import UpdateSettings


class PromptTokensSettings(UpdateSettings):
    """One vector for each block of the encoder, added to all tokens, or cells of a convolutional one, that enter it.

    The first block of a convolutional encoder has none, as its stem ends in what is no sum.
    """

    kind: Literal["prompt-tokens"] = "prompt-tokens"

    def parts(self, segmenter: Segmenter, seed: int) -> Sequence[Part]:
        network = segmenter.network
        # What leaves the last block enters no other.
        layers = layer_names(segmenter, "tokens", self.kind)[:-1]
        names = [f"{name}.bias" for name in layers if network.get_submodule(name).bias is not None]
        if not names:
            raise WesamError(f"update {self.kind}: expected tokens that come from a layer with a bias, got none")
        return [OwnWeights(network, names, self.rate)]
