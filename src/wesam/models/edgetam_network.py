"""transformers' EdgeTAM, with a backbone of our own where that is an EfficientNet-Lite.

A folder with such a backbone is a plain EdgeTAM folder, in both directions: only the class that computes the features
differs. Any other backbone needs timm and torchvision.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModel, EdgeTamConfig, EdgeTamModel, PreTrainedModel, TimmWrapperConfig
from transformers.utils import ModelOutput

from wesam.errors import WesamError
from wesam.models.efficientnet_lite import VARIANTS, EfficientNetLite
from wesam.models.pretrained import load_pretrained


class EfficientNetLiteConfig(TimmWrapperConfig):  # type: ignore[misc]
    """timm's configuration, saved as such; its class alone tells `AutoModel` who computes."""


@dataclass
class BackboneOutput(ModelOutput):  # type: ignore[misc]
    """What `EdgeTamVisionModel` asks of a backbone.

    Attributes:
        last_hidden_state: features from fine to coarse, each (B, C, H, W).
        hidden_states: None; part of the interface.
    """

    last_hidden_state: list[Tensor] | None = None
    hidden_states: tuple[Tensor, ...] | None = None


class EfficientNetLiteModel(PreTrainedModel):  # type: ignore[misc]
    """Stands in for transformers' `TimmWrapperModel`: the same names of weights, the same outputs."""

    config_class = EfficientNetLiteConfig
    main_input_name = "pixel_values"
    _supports_sdpa = True  # there is no attention; else transformers refuses to set it for the whole model

    def __init__(self, config: EfficientNetLiteConfig) -> None:
        super().__init__(config)
        self.timm_model = EfficientNetLite(config.architecture, tuple(config.model_args["out_indices"]))
        self.post_init()

    def forward(self, pixel_values: Tensor, **_: Any) -> BackboneOutput:
        """Features of (B, 3, H, W) normalised pixels."""
        return BackboneOutput(last_hidden_state=self.timm_model(pixel_values))


# transformers' own way to add a model: chosen by the class of the configuration, so timm's own stays as it is.
AutoModel.register(EfficientNetLiteConfig, EfficientNetLiteModel)


_NEEDS_TIMM = "this EdgeTAM's backbone comes from timm: pip install timm torchvision"


def build_edgetam(config: EdgeTamConfig) -> EdgeTamModel:
    """An EdgeTAM with random weights, as transformers draws them.

    Raises:
        WesamError: if its backbone needs timm, and there is none.
    """
    try:
        return EdgeTamModel(_own_backbone(config))
    except ImportError as error:
        raise WesamError(f"backbone {config.vision_config.backbone_config.architecture}: {_NEEDS_TIMM}") from error


def load_edgetam(folder: str | Path, dtype: torch.dtype = torch.float32, local: bool = True) -> EdgeTamModel:
    """The model of a folder in transformers' format, or of a hub id where it need not be local, in evaluation mode.

    Raises:
        WesamError: if there is no whole EdgeTAM, or its backbone needs timm and there is none.
        OSError: if a hub id cannot be reached.
    """
    try:
        return load_pretrained(EdgeTamModel, str(folder), local, "EdgeTAM", dtype, _own_backbone, attention=None)
    except ImportError as error:
        raise WesamError(f"{folder}: {_NEEDS_TIMM}") from error


def _own_backbone(config: EdgeTamConfig) -> EdgeTamConfig:
    """The same configuration, whose backbone is ours where we have it."""
    backbone = config.vision_config.backbone_config
    if not isinstance(backbone, TimmWrapperConfig) or backbone.architecture not in VARIANTS:
        return config
    config = copy.deepcopy(config)
    config.vision_config.backbone_config = EfficientNetLiteConfig.from_dict(backbone.to_dict())
    return config
