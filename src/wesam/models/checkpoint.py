"""One file of weights from anywhere: what it is, and from there to a network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from wesam.errors import WesamError
from wesam.models.official import format_of

# Where training code puts the weights, and what it and torch put before their names.
_WRAPPERS = ("model", "state_dict", "model_state_dict", "model_state")
_PREFIXES = ("module.", "_orig_mod.", "model.", "sam_model.", "sam.", "net.", "network.")

# What people also have, by the name of a tensor that starts so: who reads it is not this package.
_OTHERS = {
    "image_encoder.layers.0.conv1.c.": "MobileSAM (TinyViT)",
    "image_encoder.patch_embed.seq.": "MobileSAM (TinyViT)",
    "image_encoder.backbone.stages.": "EfficientViT-SAM",
    "image_encoder.trunk.body.": "EdgeTAM's own checkpoint; give its transformers folder (yonigozlan/EdgeTAM-hf)",
    "detector.": "SAM 3's own checkpoint; give its transformers folder (facebook/sam3)",
    "backbone.vision_backbone.": "SAM 3's own checkpoint; give its transformers folder (facebook/sam3)",
    "cls_token": "a ViT backbone such as DINO, without a promptable decoder",
    "embeddings.cls_token": "a ViT backbone such as DINO, without a promptable decoder",
}
_LFS = b"version https://git-lfs"


def load_checkpoint_file(path: Path) -> nn.Module:
    """Reads a publisher's checkpoint, or one that training code saved from it or from transformers' model.

    Returns:
        The network with float32 weights on the CPU.

    Raises:
        WesamError: if the file is no whole checkpoint of a family that we have; the message says what it is.
    """
    state = _named_tensors(_read(path), path)
    state = _without_prefixes(state)
    known = format_of(state)
    if known is None:
        raise WesamError(f"{path}: {_what(state)}")
    for name, tensor in state.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise WesamError(
                f"{path}: tensor {name}: expected finite weights, got NaN or infinity; its training diverged"
            )
    try:
        return known.read(state)
    except WesamError as error:
        raise WesamError(f"{path}: {error}") from error


def _read(path: Path) -> Any:
    with path.open("rb") as stream:
        start = stream.read(512)
    if start.startswith(_LFS):
        raise WesamError(f"{path}: this is a Git LFS pointer, not the weights: run `git lfs pull` where it came from")
    if start.lstrip()[:1] == b"<":
        raise WesamError(f"{path}: this is a web page, not weights: the download went wrong")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # unpickling a foreign file can raise any kind; torch's words advise to run its code
        raise WesamError(
            f"{path}: expected an original SAM checkpoint (a .pth that holds tensors only), got a file that "
            f"{_trouble(error)}"
        ) from error


def _trouble(error: Exception) -> str:
    text = str(error)
    foreign = re.search(r"(?:GLOBAL|global|class) ([\w.]+\.[\w.]+)", text)
    if foreign and foreign[1].split(".")[0] in ("ultralytics", "models"):
        return f"holds objects of {foreign[1]}: a YOLO or FastSAM model of Ultralytics, which is no SAM"
    if foreign:
        return f"holds objects of {foreign[1]} beside its tensors: save its state_dict alone"
    return "is damaged or none of torch's"


def _named_tensors(content: Any, path: Path) -> dict[str, Tensor]:
    """The weights of a checkpoint that training code has put beside its optimiser."""
    if isinstance(content, dict):
        content = next((content[name] for name in _WRAPPERS if isinstance(content.get(name), dict)), content)
    if isinstance(content, dict) and content and all(isinstance(value, Tensor) for value in content.values()):
        return {str(name): value for name, value in content.items()}
    kind = f"keys {sorted(map(str, content))[:5]}" if isinstance(content, dict) else type(content).__name__
    raise WesamError(f"{path}: expected an original SAM checkpoint (tensors by name), got {kind}")


def _without_prefixes(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Takes off what stands before every name of the model, in whatever order it was put there."""
    while True:
        prefix = next((one for one in _PREFIXES if sum(name.startswith(one) for name in state) * 2 > len(state)), None)
        if prefix is None:
            # torch.compile of a part puts its mark within the name.
            return {name.replace("._orig_mod.", "."): tensor for name, tensor in state.items()}
        state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}


def _what(state: Mapping[str, Tensor]) -> str:
    """What weights of no family of ours are."""
    other = next((what for start, what in _OTHERS.items() if any(name.startswith(start) for name in state)), None)
    if other is not None:
        return f"these are weights of {other}, which wesam does not read"
    return (
        f"expected an original SAM checkpoint with tensor image_encoder.patch_embed.proj.weight, got {len(state)} "
        f"tensors: {', '.join(sorted(state)[:3])} ..."
    )
