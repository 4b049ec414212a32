from __future__ import annotations

import importlib.util

import pytest
import torch

from tests.models.official import names
from tests.tiny import tiny_model
from wesam.errors import WesamError
from wesam.models.official.edgetam import config_from_official, from_official, to_official

_STEM = {"stem.conv1.c.weight": (24, 3, 3, 3)}


def _state() -> dict[str, torch.Tensor]:
    return {name: torch.zeros(shape) for name, shape in names.edgetam(_STEM, (384, 192, 96, 48)).items()}


def test_the_published_encoder() -> None:
    config = config_from_official(_state())
    assert config.vision_config.backbone_config.architecture == "repvit_m1"
    assert config.vision_config.backbone_channel_list == [384, 192, 96, 48]
    assert config.prompt_encoder_config.image_size == 1024


@pytest.mark.skipif(importlib.util.find_spec("timm") is not None, reason="timm is there")
def test_without_timm_it_says_what_to_install() -> None:
    with pytest.raises(WesamError, match="repvit_m1.*pip install timm torchvision"):
        from_official(_state())


def test_another_encoder_is_refused_by_name() -> None:
    with pytest.raises(WesamError, match="its encoder: expected repvit_m1, got tf_efficientnet_lite0"):
        to_official(tiny_model("edgetam"))
