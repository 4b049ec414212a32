"""From what a user names (bundled model, folder, publisher's file, hub id) to a segmenter."""

from __future__ import annotations

import platform
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import nn

from wesam.assets import bundled_model_path
from wesam.errors import WesamError, WesamWarning
from wesam.models.checkpoint import load_checkpoint_file
from wesam.models.families import family_names, find_family
from wesam.models.pretrained import hub_reason, model_type, processor_settings
from wesam.models.segmenter import Precision, Segmenter


def load_source(
    model: str | Path,
    device: str = "auto",
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "fp32",
) -> Segmenter:
    """Loads a promptable segmentation model without an adapter. Its weights are float32.

    Args:
        model: a path that exists wins: a folder in transformers' format or a publisher's `.pth` or `.pt`. Else the
            name of a bundled model ("wesam-tiny"), or a hub id ("facebook/sam-vit-base").
        device: "auto" (an accelerator where there is one), "cpu", "cuda", "cuda:1", "mps".
        precision: what it computes in. "auto" is bf16 on a GPU (fp16 where it knows no bf16), else fp32.

    Warns of a precision that is slower than fp32 on the device (docs/speed.md).

    Raises:
        WesamError: if there is no such model, or it is not a whole SAM.
    """
    place = _device(device)
    if _is_slow(precision, place):
        warnings.warn(
            f"precision {precision} is slower than fp32 on this processor, which has no matrix units for it; "
            f"fp32 gives the same masks sooner",
            WesamWarning,
            stacklevel=2,
        )
    network, processor = _read(model)
    segmenter = Segmenter(network, str(model), _precision(precision, place), processor)
    return segmenter.to(place).eval()


_Processor = Mapping[str, Any]


def _read(model: str | Path) -> tuple[nn.Module, _Processor]:
    """The network, and the configuration of its image processor."""
    path = Path(model).expanduser()
    if path.is_file():
        return load_checkpoint_file(path), {}
    if path.is_dir():
        return _from_transformers(str(path), local=True)
    ways = "a folder in transformers' format, a publisher's .pth or .pt, a bundled name, or a hub id like owner/name"
    if isinstance(model, Path) or path.suffix in (".pth", ".pt") or model.startswith((".", "/", "~")):
        raise WesamError(f"model {model}: no such file or folder; expected {ways}")
    if "/" not in model:
        try:
            bundled = bundled_model_path(model)
        except WesamError as error:
            raise WesamError(f"model {model}: no such path, and {error}; expected {ways}") from error
        return _from_transformers(str(bundled), local=True)
    try:
        return _from_transformers(model, local=False)
    except OSError as error:
        raise WesamError(
            f"model {model}: no such path, and the hub gave no such model ({hub_reason(error)}); expected {ways}. "
            f"Without a network, download the model elsewhere and give its folder or file"
        ) from error


def _from_transformers(source: str, local: bool) -> tuple[nn.Module, _Processor]:
    """Reads a folder or hub id.

    Raises:
        WesamError: if what is there is not a whole model of a family.
        OSError: if a hub id cannot be reached.
    """
    if local and not (Path(source) / "config.json").is_file():
        hint = "; this is an adapter: name its source model as the model" if _is_adapter(source) else ""
        raise WesamError(f"{source}: expected a transformers folder with config.json, got none{hint}")
    kind = model_type(source, local)
    family = find_family(kind)
    if family is None:
        raise WesamError(f"{source}: expected a model of type {', '.join(family_names())}, got {kind}")
    network = family.load(source, local)
    for name, weight in network.state_dict().items():
        if weight.is_floating_point() and not bool(torch.isfinite(weight).all()):
            raise WesamError(
                f"{source}: tensor {name}: expected finite weights, got NaN or infinity; its training diverged"
            )
    processor = processor_settings(source, local)
    try:
        family.input_format(network.config, processor)
    except WesamError as error:
        raise WesamError(f"{source}: {error}") from error
    return network, processor


def _is_adapter(source: str) -> bool:
    return (Path(source) / "adapter_config.json").is_file()


def _device(device: str) -> torch.device:
    if device == "auto":
        accelerators = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
        return torch.device(next((name for name, there in accelerators.items() if there), "cpu"))
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise WesamError(f"device: expected auto or a device of this machine, got {device}: {error}") from error
    return torch.device(device)


def _precision(precision: Literal["auto", "fp32", "bf16", "fp16"], device: torch.device) -> Precision:
    if precision not in ("auto", *get_args(Precision)):
        raise WesamError(f"precision: expected auto, fp32, bf16 or fp16, got {precision}")
    if precision != "auto":
        return precision
    if device.type != "cuda":
        return "fp32"
    return "bf16" if torch.cuda.is_bf16_supported() else "fp16"


def _is_slow(precision: str, device: torch.device) -> bool:
    """Whether this is an x86 processor without AMX: it computes in less than 32 bits by converting back and forth."""
    if device.type != "cpu" or precision not in ("bf16", "fp16") or platform.machine() not in ("x86_64", "AMD64"):
        return False
    has_matrix_units = getattr(torch.cpu, "_is_amx_tile_supported", lambda: True)  # unknown to old versions
    return not has_matrix_units()
