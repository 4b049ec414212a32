"""Muon for the matrices of attention and MLPs, AdamW for the rest (Jordan et al. 2024), and their schedule."""

from __future__ import annotations

import torch
from torch import nn

_MATRIX_RATE = 2e-3
_RATE = 1e-3
_BACKBONE_RATE = 3e-4
_WEIGHT_DECAY = 0.01

WARM_UP = 100
#: Last fraction of the steps, over which the rate falls to `_LEAST`.
COOL_DOWN = 0.6
_LEAST = 0.02


def build_optimisers(net: nn.Module) -> list[torch.optim.Optimizer]:
    """Muon and AdamW over what may learn."""
    matrices, backbone, rest = [], [], []
    for name, parameter in net.named_parameters():
        if not parameter.requires_grad:
            continue
        if "timm_model" in name:
            backbone.append(parameter)
        elif parameter.ndim == 2 and not ("embed.weight" in name or "token" in name):
            matrices.append(parameter)
        else:
            rest.append(parameter)
    return [
        torch.optim.Muon(matrices, lr=_MATRIX_RATE, weight_decay=_WEIGHT_DECAY, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(
            [{"params": rest, "rate": _RATE}, {"params": backbone, "rate": _BACKBONE_RATE}],
            lr=_RATE, betas=(0.9, 0.98), weight_decay=0.0, foreach=True,
        ),
    ]  # fmt: skip


def factor(step: int, steps: int) -> float:
    """Of every rate at a step: warm-up, plateau, linear cool-down."""
    return min((step + 1) / WARM_UP, max(_LEAST, (steps - step) / (COOL_DOWN * steps)), 1.0)


def plateau_end(steps: int) -> int:
    """First step whose rate depends on how many there are: up to there, runs of any length are the same."""
    return int(steps * (1 - COOL_DOWN))


def set_rates(optimisers: list[torch.optim.Optimizer], step: int, steps: int) -> None:
    """Sets the rates of a step."""
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = factor(step, steps) * group.get("rate", _MATRIX_RATE)
