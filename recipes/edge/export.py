"""A trained network as a folder that anything built on transformers (and timm) can load."""

from __future__ import annotations

import copy
import json
from pathlib import Path

from recipes.edge.network import EdgeNet


def export(net: EdgeNet, folder: Path) -> Path:
    """Writes `config.json`, `model.safetensors` (fp16) and `preprocessor_config.json`; the network stays as it is."""
    copy.deepcopy(net.sam).half().save_pretrained(folder)
    preprocessing = {
        "image_processor_type": "Sam2ImageProcessor",
        "processor_class": "Sam2Processor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"height": net.size, "width": net.size},
        "mask_size": {"height": net.grid, "width": net.grid},
        "resample": 2,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessing, indent=2) + "\n")
    return folder
