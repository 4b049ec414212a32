"""A trained network as a folder that anything built on transformers can load."""

from __future__ import annotations

import json
from pathlib import Path

from transformers import SamModel


def ship(sam: SamModel, folder: Path) -> Path:
    """Write half-precision weights, config and SAM's preprocessing into a folder.

    Args:
        folder: gets ``config.json``, ``model.safetensors`` (fp16) and ``preprocessor_config.json``.
    """
    sam.half().save_pretrained(folder)
    size = sam.config.vision_config.image_size
    preprocessing = {
        "image_processor_type": "SamImageProcessor",
        "processor_class": "SamProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"longest_edge": size},
        "mask_size": {"longest_edge": size // 4},
        "resample": 2,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
        "do_pad": True,
        "pad_size": {"height": size, "width": size},
        "mask_pad_size": {"height": size // 4, "width": size // 4},
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessing, indent=2) + "\n")
    return folder
