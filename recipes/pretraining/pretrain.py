"""The recipe that trains the bundled model on procedural scenes, on CPU or GPU, resumable at any step.

Run with `wesam pretrain --config wesam-tiny.yaml`, or in several processes with
`torchrun --nproc_per_node 2 -m wesam pretrain --config wesam-tiny.yaml`. On a CPU two processes of one thread each are
faster than one process of two threads.
"""

from __future__ import annotations

import json
import os
import time
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import torch
import yaml
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs, InitProcessGroupKwargs, set_seed
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor, nn
from transformers import SamModel

from recipes.pretraining import probe
from recipes.pretraining.batches import Batch, Stepwise
from recipes.pretraining.network import NetworkConfig
from recipes.pretraining.pool import Pool, draw_pool, shard_names
from recipes.pretraining.ship import ship
from recipes.pretraining.step import PretrainNet
from wesam.errors import WesamError
from wesam.findings import describe
from wesam.generated.canvas import Scene
from wesam.training.config import read_yaml


class PretrainConfig(BaseModel):
    """Everything the recipe depends on. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")

    out: Path = Field(default=Path("runs/pretrain"), description="run folder: checkpoints, curve, exported model")
    pool: Path = Field(default=Path("runs/pool"), description="folder of scenes drawn ahead")
    pool_shards: int = Field(default=64, ge=1, description="shards drawn if the pool is smaller")
    shard_scenes: int = Field(default=256, ge=1, description="scenes a shard")
    workers: int = Field(default=2, ge=1, description="processes that draw the pool")
    network: NetworkConfig = Field(default_factory=lambda: NetworkConfig(), description="size of the model")
    seed: int = Field(default=0, description="of weights, batches and prompts")
    steps: int = Field(default=8000, ge=1, description="optimiser steps in all")
    images: int = Field(default=8, ge=1, description="images a process and step")
    loaders: int = Field(
        default=0,
        ge=0,
        description="processes that prepare batches for each training process; 0: itself, right where a CPU trains",
    )
    instances: int = Field(default=8, ge=4, description="instances an image: half asked by box, half by points")
    extra: int = Field(
        default=2, ge=1, description="instances an image in the rotating third kind of prompt; at most half of them"
    )
    matrix_rate: float = Field(default=2e-3, description="learning rate of matrices (Muon)")
    rate: float = Field(default=1e-3, description="learning rate of everything else (AdamW)")
    patch_rate: float = Field(default=1e-4, description="learning rate of the patch embedding (AdamW)")
    weight_decay: float = Field(default=0.01, description="of matrices")
    warmup: int = Field(default=100, description="steps of rising learning rate")
    cooldown: float = Field(default=0.75, description="last share of the steps, over which the rate falls to 2 %")
    blind_steps: int = Field(
        default=300, description="first steps, where the decoder sees zeros and the encoder only its heads"
    )
    balanced_steps: int = Field(default=600, description="steps over which the balanced cross-entropy fades out")
    dense_weight: float = Field(
        default=1.0, description="weight of the training-only heads; halved after balanced_steps"
    )
    ema: float = Field(default=0.998, description="decay of the averaged weights that are probed and exported")
    bf16: bool = Field(default=True, description="bf16 autocast of encoder and decoder")
    compiled: bool = Field(
        default=False, description="torch.compile (needs a C++ compiler): a step takes a quarter less time on a CPU"
    )
    save_every: int = Field(default=250, ge=1, description="steps between checkpoints")
    probe_every: int = Field(default=1000, ge=1, description="steps between probes")
    probe_scenes: int = Field(default=48, ge=0, description="held-out scenes of each probe; 0 probes nothing")
    packs: dict[str, Path] = Field(
        default_factory=dict, description="COCO packs whose test masks are reported, never used to choose"
    )
    max_minutes: float | None = Field(default=None, description="stop, with a checkpoint, after this time")


# What a run that was begun may go on with another value of: where and how it runs, and how long.
_MAY_CHANGE = {
    "out", "pool", "workers", "loaders", "steps", "cooldown", "compiled", "save_every", "probe_every", "probe_scenes",
    "packs", "max_minutes",
}  # fmt: skip


def load_config(path: Path) -> PretrainConfig:
    """Read a YAML file of settings.

    Raises:
        WesamError: if it cannot be read, or naming the setting that is wrong.
    """
    try:
        return PretrainConfig.model_validate(read_yaml(path))
    except ValidationError as error:
        raise WesamError(f"{path}: {describe(error)}") from error


def pretrain(config: PretrainConfig) -> Path:
    """Train (or go on training) and return the folder of the exported model.

    The state after step n depends on the config and n alone: an interrupted run ends with the same weights.

    Raises:
        WesamError: if the run folder holds a run of other settings, or the pool is of other scenes.
    """
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "0")) or torch.get_num_threads())
    accelerator = Accelerator(
        kwargs_handlers=[
            DistributedDataParallelKwargs(find_unused_parameters=True),
            InitProcessGroupKwargs(timeout=timedelta(hours=1)),
        ]
    )
    set_seed(config.seed)
    config.out.mkdir(parents=True, exist_ok=True)
    state_path = config.out / "state.pt"
    if state_path.exists():
        _refuse_another(config, load_config(config.out / "config.yaml"))
    if accelerator.is_main_process:
        (config.out / "config.yaml").write_text(yaml.safe_dump(json.loads(config.model_dump_json()), sort_keys=False))
        if len(shard_names(config.pool)) < config.pool_shards:
            draw_pool(
                config.pool,
                config.pool_shards,
                count=config.shard_scenes,
                size=config.network.image_size,
                workers=config.workers,
            )
    accelerator.wait_for_everyone()
    Pool(config.pool).expect(config.shard_scenes, config.network.image_size)

    net = PretrainNet(config.network, config.extra, config.bf16, config.compiled).to(accelerator.device)
    optimizers = _optimizers(net, config)
    average = {name: value.detach().clone() for name, value in net.sam.state_dict().items()}
    step = 0
    if state_path.exists():
        state = torch.load(state_path, map_location="cpu", weights_only=True)
        net.load_state_dict(state["net"])
        average = {name: value.to(accelerator.device) for name, value in state["average"].items()}
        step = state["step"]
        for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
    model: nn.Module = accelerator.prepare_model(net)
    watch = _Watch(config, net, average) if accelerator.is_main_process else None

    batches = Stepwise(config.pool, config.seed, accelerator.process_index, config.images, config.instances)
    started, seen = time.perf_counter(), step
    for batch in batches.between(step, config.steps, config.loaders):
        batch = Batch(**{name: value.to(accelerator.device) for name, value in vars(batch).items()})
        fade = max(0.0, 1 - step / max(1, config.balanced_steps))
        _set_rates(optimizers, config, step)
        blind = step < config.blind_steps
        # one seed for every process, so that all decode the same kinds and counts of prompts
        losses = model(batch, config.seed * 1_000_003 + step, step, blind, fade)
        dense = config.dense_weight * (0.5 + 0.5 * fade)
        total = torch.stack(
            [(dense if n in ("edges", "colours", "affinity") else 1.0) * v for n, v in losses.items() if n[0] != "~"]
        ).sum()
        accelerator.backward(total)
        norm = nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        if not torch.isfinite(norm):
            raise RuntimeError(f"step {step}: gradient norm is {norm.item()}")
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        step += 1
        _follow(average, net.sam, min(config.ema, (step + 1) / (step + 10)))
        last = step == config.steps
        late = config.max_minutes is not None and time.perf_counter() - started > 60 * config.max_minutes
        if config.max_minutes is not None:  # clocks differ: all processes stop where the first one says
            late = bool(accelerator.reduce(torch.tensor(float(late), device=accelerator.device)).item() > 0)
        if watch:
            watch.note(
                step,
                losses,
                norm,
                (step - seen) * config.images * accelerator.num_processes / (time.perf_counter() - started),
            )
            if step % config.save_every == 0 or last or late:
                _save(
                    state_path,
                    {
                        "net": net.state_dict(),
                        "average": average,
                        "step": step,
                        "optimizers": [o.state_dict() for o in optimizers],
                    },
                )
            if step % config.probe_every == 0 or last:
                watch.probe(step)
        if late:
            break
    if watch:
        ship(watch.averaged(), config.out / "model")
    accelerator.wait_for_everyone()
    return config.out / "model"


def _refuse_another(config: PretrainConfig, begun: PretrainConfig) -> None:
    """Raises WesamError if a run that was begun cannot go on with a config."""
    for name in sorted(PretrainConfig.model_fields.keys() - _MAY_CHANGE):
        if getattr(config, name) != getattr(begun, name):
            raise WesamError(
                f"{config.out}: {name}: expected {getattr(begun, name)}, with which the run there was begun, got "
                f"{getattr(config, name)}; give another folder"
            )


def _optimizers(net: PretrainNet, config: PretrainConfig) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of attention and MLPs, AdamW for the rest (Jordan et al. 2024)."""
    matrices, patch, rest = [], [], []
    for name, parameter in net.named_parameters():
        if "patch_embed" in name:
            patch.append(parameter)
        elif parameter.ndim == 2 and not any(part in name for part in ("rel_pos", "embed", "token")):
            matrices.append(parameter)
        elif parameter.requires_grad:
            rest.append(parameter)
    return [
        torch.optim.Muon(
            matrices, lr=config.matrix_rate, weight_decay=config.weight_decay, adjust_lr_fn="match_rms_adamw",
        ),
        torch.optim.AdamW(
            [{"params": rest, "rate": config.rate}, {"params": patch, "rate": config.patch_rate}],
            lr=config.rate, betas=(0.9, 0.98), weight_decay=0.0,
        ),
    ]  # fmt: skip


def _set_rates(optimizers: list[torch.optim.Optimizer], config: PretrainConfig, step: int) -> None:
    """Warm-up, plateau, linear cool-down: a plateau can be prolonged by a later run."""
    tail = max(1.0, config.cooldown * config.steps)
    factor = min((step + 1) / max(1, config.warmup), max(0.02, (config.steps - step) / tail), 1.0)
    for group in (g for optimizer in optimizers for g in optimizer.param_groups):
        group["lr"] = factor * group.get("rate", config.matrix_rate)


@torch.no_grad()
def _follow(average: dict[str, Tensor], sam: SamModel, decay: float) -> None:
    for name, value in sam.state_dict().items():
        average[name].lerp_(value, 1 - decay)


def _save(path: Path, state: dict[str, Any]) -> None:
    """Atomic: a reader or a crash never meets half a checkpoint."""
    temporary = path.with_suffix(".part")
    torch.save(state, temporary)
    temporary.replace(path)


class _Watch:
    """Writes the loss curve and probes the averaged model; lives in the main process alone."""

    def __init__(self, config: PretrainConfig, net: PretrainNet, average: dict[str, Tensor]) -> None:
        self.config, self.average = config, average
        self.template: SamModel = PretrainNet(config.network).sam
        self.curve = config.out / "curve.jsonl"
        self.sums: dict[str, float] = {}
        self.count = 0
        self.sets: dict[str, list[Scene]] = {}
        if config.probe_scenes:
            self.sets["scenes"] = probe.scenes("source", 1_000_000, config.probe_scenes, config.network.image_size)
            for name, path in config.packs.items():
                self.sets[name] = probe.pack_scenes(path, config.probe_scenes // 2)
        if self.sets and not self.curve.exists():
            self._write({"step": 0, "trivial": {name: probe.trivial(test, 4) for name, test in self.sets.items()}})

    def _write(self, row: dict[str, Any]) -> None:
        row = {"time": time.strftime("%H:%M:%S", time.gmtime()), **row}
        with self.curve.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(json.dumps(row), flush=True)

    def note(self, step: int, losses: dict[str, Tensor], norm: Tensor, rate: float, every: int = 50) -> None:
        """Mean losses of every 50 steps."""
        for name, value in {**losses, "norm": norm}.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value.detach())
            self.sums[f"#{name}"] = self.sums.get(f"#{name}", 0.0) + 1
        if step % every == 0:
            means = {n: round(v / self.sums[f"#{n}"], 4) for n, v in self.sums.items() if n[0] != "#"}
            self._write({"step": step, "images_per_s": round(rate, 1), **means})
            self.sums = {}

    def averaged(self) -> SamModel:
        """The averaged weights as a model on the CPU."""
        self.template.load_state_dict(self.average)
        return self.template

    def probe(self, step: int) -> None:
        """Box and point answers and the embedding swap."""
        if not self.sets:
            return
        sam = self.averaged()
        row: dict[str, Any] = {"step": step}
        for name, test in self.sets.items():
            features = probe.embed(sam, test)
            ask = partial(probe.evaluate, sam, test, most=8, features=features)
            box, points = ask("box"), ask("points")
            row[name] = {"box": box.miou, "points": points.miou, "iou corr": box.correlation}
            if name == "scenes":  # blind or not
                row[name] |= {f"box {swap}": ask("box", swap).miou for swap in ("other", "zeros")}
                row[name] |= {"points other": ask("points", "other").miou}
            row[name] = {key: round(value, 3) for key, value in row[name].items()}
        self._write({"probe": row})
