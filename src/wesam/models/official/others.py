"""What people also have in a `.pth`: the models that this package does not read, by the names of their tensors."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Their files hold tensors of the same names as those of families that are read.
_LOOK_ALIKES = {
    r"image_encoder\.(layers\.0\.conv1\.c|patch_embed\.seq)\.": "MobileSAM or Light HQ-SAM (TinyViT)",
    r"image_encoder\.blocks\.\d+\.mlp\.fc1\.": "EfficientSAM",
    r"image_encoder\.blocks\.\d+\.\w*[Aa]dapter\.": "a SAM with adapter layers (SAM-Med2D, Medical SAM Adapter)",
    r"sam_mask_decoder\.hf_token\.": "HQ-SAM 2",
    r".*\.lora_[AB]\.": (
        "an adapter of peft, or of a model with one in it: give an adapter's folder as the adapter, or merge it "
        "(merge_and_unload) and save that"
    ),
}
_OTHERS = {
    r"image_encoder\.features\.": "EdgeSAM or RepViT-SAM",
    r"image_encoder\.backbone\.stages\.": "EfficientViT-SAM",
    r"image_encoder\.trunk\.": "a SAM 2 with another encoder, such as EfficientTAM",
    r"detector\.|.*vision_backbone\.trunk\.": "SAM 3 with its detector: give its transformers folder (facebook/sam3)",
    r"detector_model\.|.*vision_encoder\.backbone\.layers\.\d+\.attention\.": (
        "SAM 3 without its configuration: give the folder that save_pretrained writes"
    ),
    r"w_a_\d+$": "SAMed's LoRA alone",
    r"(object_transformer|pixel_fuser)\.": "Cutie",
    r"(key_encoder|value_encoder)\.": "XMem",
    r"model\.\d+\.(conv|cv1)\.": "a YOLO model, such as FastSAM",
    r"(\w+\.)?cls_token$": "a ViT backbone such as DINO, without a promptable decoder",
}


def look_alike(names: Iterable[str]) -> str | None:
    """The name of the model whose file poses as one of ours; None if it is none that is known."""
    return _first(names, _LOOK_ALIKES)


def other_model(names: Iterable[str]) -> str | None:
    """The name of the model that tensors of none of our families are of; None if it is none that is known."""
    return _first(names, _OTHERS)


def _first(names: Iterable[str], known: dict[str, str]) -> str | None:
    names = list(names)
    return next((what for start, what in known.items() if any(map(_anywhere(start).match, names))), None)


def _anywhere(start: str) -> re.Pattern[str]:
    return re.compile(rf"(?:.*\.)?(?:{start})")
