"""Turn a training run into a folder that anything built on transformers can load."""

from __future__ import annotations

import json
from pathlib import Path

import torch
import yaml
from transformers import SamModel

from wesam.errors import WesamError
from wesam.synthetic.network import NetworkConfig, build_sam


def averaged_model(run: Path) -> tuple[SamModel, int]:
    """The averaged weights of a run's last checkpoint, and its step.

    Raises:
        WesamError: if the folder holds no checkpoint.
    """
    if not (run / "state.pt").exists():
        raise WesamError(f"run {run}: expected a checkpoint state.pt, got none")
    settings = yaml.safe_load((run / "config.yaml").read_text())
    sam = build_sam(NetworkConfig.model_validate(settings["network"]))
    state = torch.load(run / "state.pt", map_location="cpu", weights_only=True)
    sam.load_state_dict(state["average"])
    return sam.eval(), int(state["step"])


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
