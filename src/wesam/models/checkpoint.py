"""One file of weights from anywhere: what it is, and from there to a network."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from wesam.errors import WesamError, WesamWarning
from wesam.models.official import Found, find_format
from wesam.models.official.others import look_alike, other_model

# Where training code puts the weights.
_WRAPPERS = ("model", "state_dict", "model_state_dict", "model_state", "module")
# What torch puts within names: of compiled, sharded and recomputed parts.
_MARKS = re.compile(r"(^|\.)(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
_LFS = b"version https://git-lfs"
_PROGRAM = "is a TorchScript program: save the state_dict of the model that it was made from"
_READ = "wesam reads files of SAM, SAM-HQ, SAM 2 and EdgeTAM"


def load_checkpoint_file(path: Path) -> nn.Module:
    """Reads a publisher's checkpoint, or one that training code saved from it or from transformers' model.

    Returns:
        The network with float32 weights on the CPU.

    Warns if the file holds tensors beside the model's.

    Raises:
        WesamError: if the file is no whole checkpoint of a family that we have; the message says what it is.
    """
    state = _named_tensors(_read(path), path)
    state = {_without_marks(name): tensor for name, tensor in state.items()}
    found = find_format(state)
    other = look_alike(state) or (None if found else other_model(state))
    if other is not None:
        raise WesamError(f"{path}: these are weights of {other}; {_READ}")
    if found is None:
        raise WesamError(
            f"{path}: expected an original SAM checkpoint with tensor image_encoder.patch_embed.proj.weight, got "
            f"{len(state)} tensors: {', '.join(sorted(state)[:3])} ...; {_READ}"
        )
    state = _of_the_model(state, found, path)
    for name, tensor in state.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise WesamError(
                f"{path}: tensor {name}: expected finite weights, got NaN or infinity; its training diverged"
            )
    try:
        return found.format.read(found.format.renamed(state) if found.own else state)
    except WesamError as error:
        raise WesamError(f"{path}: {error}") from error


def _read(path: Path) -> Any:
    with path.open("rb") as stream:
        start = stream.read(512)
    if start.startswith(_LFS):
        raise WesamError(f"{path}: this is a Git LFS pointer, not the weights: run `git lfs pull` where it came from")
    if start.lstrip()[:1] == b"<":
        raise WesamError(f"{path}: this is a web page, not weights: the download went wrong")
    if path.suffix == ".onnx":
        raise WesamError(
            f"{path}: this is an ONNX program, not weights that can be trained: give what it was made from"
        )
    try:
        if start[8:9] == b"{":  # after the length of the header
            return load_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # torch's, of pickles that it then reads or refuses
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # unpickling a foreign file can raise any kind; torch's words advise to run its code
        raise WesamError(
            f"{path}: expected an original SAM checkpoint (a .pth, .pt or .safetensors that holds tensors only), got a "
            f"file that {_trouble(error)}"
        ) from error


def _trouble(error: Exception) -> str:
    text = str(error)
    if "TorchScript" in text:
        return _PROGRAM
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
    if isinstance(content, torch.jit.ScriptModule):  # which old versions of torch load
        raise WesamError(f"{path}: expected an original SAM checkpoint, got a file that {_PROGRAM}")
    kind = f"keys {sorted(map(str, content))[:5]}" if isinstance(content, dict) else type(content).__name__
    raise WesamError(f"{path}: expected an original SAM checkpoint (tensors by name), got {kind}")


def _without_marks(name: str) -> str:
    while (shorter := _MARKS.sub(r"\1", name)) != name:
        name = shorter
    return name


def _of_the_model(state: Mapping[str, Tensor], found: Found, path: Path) -> dict[str, Tensor]:
    """The model's tensors, without what training code puts before their names, in whatever order.

    Raises:
        WesamError: if there are several models.
    """
    if len(found.prefixes) > 1:
        listed = ", ".join(repr(prefix) for prefix in found.prefixes)
        raise WesamError(f"{path}: expected one model, got several, under the prefixes {listed}: save one of them")
    prefix = found.prefixes[0]
    beside = sorted(name for name in state if not name.startswith(prefix))
    if beside:
        warnings.warn(
            f"{path}: left out {len(beside)} tensors that are not the model's (under {prefix!r}): "
            f"{', '.join(beside[:3])}{' ...' if beside[3:] else ''}",
            WesamWarning,
            stacklevel=3,
        )
    return {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
