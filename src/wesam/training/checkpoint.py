"""Checkpoints: all that a killed run needs to go on as if nothing had happened."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from wesam.atomic import replaced_folder
from wesam.errors import WesamError


@dataclass(frozen=True)
class Checkpoint:
    """State after `step` optimiser steps.

    Random draws need no state: each is seeded by the run's seed and the step or item it belongs to.

    Attributes:
        step: optimiser steps done.
        adapter: the trained weights by name.
        optimiser: its `state_dict()`.
        extra: the method's own state (an EMA teacher).
        scaler: state of the fp16 gradient scaler, empty otherwise.
        processes: that the run has.
        rollbacks: how often the run went back until then (`training.guard`).
    """

    step: int
    adapter: dict[str, Tensor]
    optimiser: dict[str, Any]
    extra: dict[str, Tensor]
    scaler: dict[str, Any]
    processes: int = 1
    rollbacks: int = 0


def save_checkpoint(folder: Path, checkpoint: Checkpoint, keep: int) -> Path:
    """Writes `folder/step-000123` whole or not at all, then deletes all but the newest `keep`."""
    final = folder / f"step-{checkpoint.step:07d}"
    state = {"step": checkpoint.step, "processes": checkpoint.processes, "rollbacks": checkpoint.rollbacks}
    with replaced_folder(final) as partial:
        save_file(_contiguous(checkpoint.adapter), partial / "adapter.safetensors")
        save_file(_contiguous(checkpoint.extra), partial / "extra.safetensors")
        _save_pickle({"optimiser": checkpoint.optimiser, "scaler": checkpoint.scaler}, partial / "optimiser.pt")
        (partial / "state.json").write_text(json.dumps(state), encoding="utf-8")
    for old in list_checkpoints(folder)[:-keep]:
        shutil.rmtree(old)
    return final


def list_checkpoints(folder: Path) -> list[Path]:
    """Finished checkpoints, oldest first."""
    return sorted(path for path in folder.glob("step-*") if path.is_dir())


def load_checkpoint(path: Path) -> Checkpoint:
    """Reads one checkpoint.

    Raises:
        WesamError: if a file of it is missing or damaged.
    """
    try:
        state = json.loads((path / "state.json").read_text(encoding="utf-8"))
        tensors = torch.load(path / "optimiser.pt", map_location="cpu", weights_only=True)
        return Checkpoint(
            step=int(state["step"]),
            adapter=load_file(path / "adapter.safetensors"),
            optimiser=tensors["optimiser"],
            extra=load_file(path / "extra.safetensors"),
            scaler=tensors["scaler"],
            processes=int(state["processes"]),
            rollbacks=int(state["rollbacks"]),
        )
    except Exception as error:  # safetensors, pickle and json each raise their own kinds
        raise WesamError(
            f"{path}: expected a whole checkpoint, got: {error}; once it is deleted, --resume begins at the one before"
        ) from error


def _save_pickle(content: dict[str, Any], path: Path) -> None:
    try:
        torch.save(content, path)
    except RuntimeError as error:  # what torch's own writer makes of a full disk
        raise OSError(f"{path}: {error}") from error


def _contiguous(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
