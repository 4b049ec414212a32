"""EdgeTAM (Zhou et al. 2025, arXiv 2501.07256) on single images: SAM 2's decoder on a convolutional encoder."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from torch import nn

from wesam.models.families.sam2 import Sam2
from wesam.models.family import Target

_BACKBONE = r"vision_encoder\.backbone\.timm_model"
# The last norm of a block: its shift is added to what leaves the block and enters the next.
_LAST_NORM = (
    rf"{_BACKBONE}\.(blocks\.(0\.\d+\.bn2|[1-9]\d*\.\d+\.bn3)|stages_\d+\.blocks\.\d+\.channel_mixer\.conv2\.bn)"
)
# EfficientNet-Lite's blocks, or RepViT's.
_BLOCK = rf"{_BACKBONE}\.(blocks\.\d+\.\d+|stages_\d+\.blocks\.\d+)"


class EdgeTam(Sam2):
    """See `models.edgetam_network` for the encoders. There is no attention in them, so no such target."""

    model_type = "edgetam"
    also: tuple[str, ...] = ("edgetam_video",)
    block = _BLOCK
    stem = "vision_encoder.backbone.timm_model.conv_stem"
    learning_rate = 2e-3
    targets: Mapping[Target, str] = {
        "linear": rf"{_BLOCK}\.(conv_pwl?|token_mixer\.se\.fc[12]|channel_mixer\.conv[12]\.c)",
        "norms": rf"{_BACKBONE}\.(.*\.)?bn\d?",
        "tokens": _LAST_NORM,
        "encoder": r"vision_encoder\..*",
        "decoder": r"mask_decoder\..*",
    }

    def landmarks(self, network: Any) -> Collection[str]:
        """The last block of each stage."""
        names = [name for name, _ in network.named_modules() if re.fullmatch(_BLOCK, name)]
        return list({name.rpartition(".")[0]: name for name in names}.values())

    def load(self, source: str, local: bool) -> nn.Module:
        from wesam.models.edgetam_network import load_edgetam

        network: nn.Module = load_edgetam(source, local=local)
        return network
