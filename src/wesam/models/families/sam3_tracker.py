"""The promptable part of SAM 3 (arXiv 2511.16719) on single images, over transformers' `Sam3TrackerModel`."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from wesam.models.families.sam2 import Sam2
from wesam.models.family import Target
from wesam.models.pretrained import load_pretrained

_BLOCK = r"vision_encoder\.backbone\.layers\.\d+"


class Sam3Tracker(Sam2):
    """What answers boxes, clicks and masks. What SAM 3 finds by words (its detector) is left out."""

    model_type = "sam3_tracker"
    also: tuple[str, ...] = ("sam3_video", "sam3_tracker_video")  # the publisher's folder holds all parts
    image_processor = "Sam3ImageProcessor"
    processor = "Sam3TrackerProcessor"
    block = _BLOCK
    stem = ""
    mean = std = (0.5, 0.5, 0.5)
    targets: Mapping[Target, str] = {
        "attention": rf"{_BLOCK}\.attention\.[qkv]_proj",
        "linear": rf"{_BLOCK}\.(attention\.[qkvo]_proj|mlp\.fc[12])",
        "norms": rf"{_BLOCK}\.layer_norm[12]",
        "tokens": rf"vision_encoder\.backbone\.layer_norm|{_BLOCK}\.mlp\.fc2",
        "encoder": r"vision_encoder\..*",
        "decoder": r"mask_decoder\..*",
    }

    def load(self, source: str, local: bool) -> nn.Module:
        from transformers import Sam3TrackerModel

        return load_pretrained(Sam3TrackerModel, source, local, "SAM 3")
