"""The one loop that runs every objective, on one device or many."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import ProjectConfiguration
from torch import Tensor
from torch.utils.data import DataLoader

from wesam.errors import NonFiniteLossError, WesamError
from wesam.objectives.base import Objective
from wesam.segmenters.lora import adapter_parameters, adapter_state, load_adapter_state, save_adapter
from wesam.training.checkpoint import Checkpoint, list_checkpoints, load_checkpoint, save_checkpoint
from wesam.training.config import RunConfig
from wesam.training.run_folder import RunFolder
from wesam.types import Sample
from wesam.views.batch import Batch
from wesam.views.dataset import TargetDataset, collate
from wesam.views.sampler import StepSampler


@dataclass(frozen=True)
class Progress:
    """What a display is told every `log_every` steps: window means of the losses, and the speed."""

    step: int
    steps: int
    metrics: dict[str, float]
    images_per_second: float


@dataclass(frozen=True)
class TrainResult:
    """What a finished loop did in this call (a resumed run counts only its last part)."""

    steps: int
    seconds: float
    images_per_second: float
    resumed_from: int


def make_accelerator(config: RunConfig, folder: RunFolder) -> Accelerator:
    """The process group, device and trackers of a run. `accelerate launch` and `torchrun` are recognised."""
    # The segmenter runs its own autocast, so only fp16's gradient scaler is asked of accelerate.
    return Accelerator(
        mixed_precision="fp16" if config.precision == "fp16" else "no",
        gradient_accumulation_steps=config.accumulation,
        cpu=config.device == "cpu",
        log_with=list(config.trackers) or None,
        project_config=ProjectConfiguration(logging_dir=str(folder.root / "tensorboard")),
    )


def train(
    config: RunConfig,
    accelerator: Accelerator,
    objective: Objective,
    samples: Sequence[Sample],
    folder: RunFolder,
    masks: Sequence[Sample] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> TrainResult:
    """Runs `config.steps` optimiser steps, going on from the newest checkpoint in the folder if there is one.

    An objective with nothing to learn takes no step: its adapter leaves the source model as it is.

    With W processes each takes its own micro-batch, so W processes with accumulation 1 compute the step of one
    process with accumulation W.

    Args:
        samples: weakly labelled images; each image frame as it lies on disk.
        masks: the same images with ground-truth masks, for objectives that need them.

    Raises:
        NonFiniteLossError: if a loss is NaN or infinite; earlier checkpoints stay.
        WesamError: if a checkpoint or an image cannot be read.
    """
    segmenter = objective.segmenter
    if objective.needs_masks and masks is None:
        raise WesamError(f"objective {config.objective.name}: expected masks for the training images, got none")
    dataset = TargetDataset(samples, segmenter, config.views, seed=config.seed, masks=masks)
    objective.to(accelerator.device)
    parameters = [parameter for _, parameter in adapter_parameters(segmenter)]
    optimiser = torch.optim.Adam(parameters, lr=config.learning_rate, weight_decay=config.weight_decay)

    start = 0
    checkpoints = list_checkpoints(folder.checkpoints)
    if checkpoints:
        checkpoint = load_checkpoint(checkpoints[-1])
        load_adapter_state(segmenter, checkpoint.adapter)
        objective.load_extra_state(checkpoint.extra)
        optimiser.load_state_dict(checkpoint.optimiser)
        start = checkpoint.step
    steps = config.steps if objective.trainable else 0
    # Prepared after the weights are in place: DistributedDataParallel sends rank 0's to all.
    wrapped, optimiser = accelerator.prepare(objective, optimiser)
    if checkpoints and accelerator.scaler is not None:
        accelerator.scaler.load_state_dict(checkpoint.scaler)
    if accelerator.is_main_process:
        folder.cut_metrics(start)
    if config.trackers:
        accelerator.init_trackers("wesam")

    sampler = StepSampler(
        len(dataset),
        batch_size=config.batch_size,
        steps=steps,
        seed=config.seed,
        start_step=start,
        rank=accelerator.process_index,
        world=accelerator.num_processes,
        accumulation=config.accumulation,
    )
    workers = config.workers
    if workers is None:
        workers = 0 if accelerator.device.type == "cpu" else 4
    loader = DataLoader(dataset, batch_sampler=sampler, num_workers=workers, collate_fn=collate)
    window = _Window(accelerator, folder, config, on_progress)

    def save(step: int) -> None:
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            state = Checkpoint(
                step=step,
                adapter=adapter_state(segmenter),
                optimiser=optimiser.state_dict(),
                extra=objective.extra_state(),
                scaler=accelerator.scaler.state_dict() if accelerator.scaler is not None else {},
            )
            save_checkpoint(folder.checkpoints, state, keep=config.keep_checkpoints)

    began = time.perf_counter()
    step = start
    batches = iter(loader)
    segmenter.train()
    while step < steps:
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(config, step)
        for _ in range(config.accumulation):
            batch = _next(batches).to(accelerator.device)
            # Dropout is the only draw that is not tied to an item; tie it to the step and the process.
            torch.manual_seed(_mixed_seed(config.seed, step, accelerator.process_index))
            with accelerator.accumulate(wrapped):
                losses = wrapped(batch)
                accelerator.backward(losses["total"])
                if accelerator.sync_gradients and config.max_gradient_norm is not None:
                    accelerator.clip_grad_norm_(parameters, config.max_gradient_norm)
                optimiser.step()
                optimiser.zero_grad()
            window.add(step + 1, batch, losses)
        objective.after_step()
        step += 1
        if step % config.log_every == 0 or step == steps or step % config.checkpoint_every == 0:
            window.flush(step, learning_rate(config, step - 1))
        if step % config.checkpoint_every == 0 or step == steps:
            save(step)
    seconds = time.perf_counter() - began

    load_adapter_state(segmenter, objective.result())
    if accelerator.is_main_process:
        save_adapter(segmenter, folder.adapter)
    accelerator.wait_for_everyone()
    accelerator.end_training()
    segmenter.eval()
    images = (steps - start) * config.batch_size * config.accumulation * accelerator.num_processes
    return TrainResult(steps, seconds, images / seconds if images else 0.0, start)


def _next(batches: Iterator[Batch]) -> Batch:
    """The next batch; what a loader process says of an image comes without that process's traceback."""
    try:
        return next(batches)
    except WesamError as error:
        raise WesamError(str(error).strip().rpartition("WesamError: ")[2]) from error


def learning_rate(config: RunConfig, step: int) -> float:
    """Rate of the step that follows `step` finished ones: linear warm-up, then constant or a half cosine to 0."""
    warmup = config.effective_warmup_steps
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    if config.schedule == "constant":
        return config.learning_rate
    done = (step - warmup) / max(1, config.steps - warmup)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * done))


def _mixed_seed(seed: int, step: int, process: int) -> int:
    return (seed * 1_000_003 + step) * 1_009 + process


class _Window:
    """Losses since the last log line. They stay on the device until then, so that no step waits for them."""

    def __init__(
        self,
        accelerator: Accelerator,
        folder: RunFolder,
        config: RunConfig,
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self._accelerator = accelerator
        self._folder = folder
        self._config = config
        self._on_progress = on_progress
        self._clear()

    def _clear(self) -> None:
        self._rows: list[Tensor] = []
        self._origins: list[tuple[int, tuple[str, ...]]] = []
        self._names: list[str] = []
        self._images = 0
        self._began = time.perf_counter()

    def add(self, step: int, batch: Batch, losses: dict[str, Tensor]) -> None:
        self._names = list(losses)
        self._rows.append(torch.stack([loss.detach().float() for loss in losses.values()]))
        self._origins.append((step, batch.sample_ids))
        self._images += len(batch)

    def flush(self, step: int, rate: float) -> None:
        """Checks, reduces over processes, writes and shows the window's means.

        Raises:
            NonFiniteLossError: naming the first step and the images whose loss was not finite.
        """
        if not self._rows:
            return
        rows = torch.stack(self._rows)
        total = rows[:, self._names.index("total")]
        finite = torch.isfinite(total)
        everywhere = self._accelerator.reduce(finite.all().float(), reduction="mean")
        if everywhere < 1:
            self._stop(rows[:, self._names.index("total")], finite)
        means = self._accelerator.reduce(rows.mean(0), reduction="mean")
        elapsed = time.perf_counter() - self._began
        speed = self._images * self._accelerator.num_processes / elapsed
        metrics = dict(zip(self._names, means.tolist(), strict=True))
        if self._accelerator.is_main_process:
            row: dict[str, Any] = {"step": step, **metrics, "learning_rate": rate, "images_per_second": speed}
            self._folder.append_metrics(row)
            self._accelerator.log({**metrics, "learning_rate": rate, "images_per_second": speed}, step=step)
            if self._on_progress is not None:
                self._on_progress(Progress(step, self._config.steps, metrics, speed))
        self._clear()

    def _stop(self, total: Tensor, finite: Tensor) -> None:
        kept = list_checkpoints(self._folder.checkpoints)
        last = f"the last good checkpoint is {kept[-1]}" if kept else "no checkpoint was written yet"
        where = "in another process"
        if not bool(finite.all()):
            index = int((~finite).nonzero()[0])
            step, sample_ids = self._origins[index]
            where = f"at step {step} on {', '.join(sample_ids)} (got {float(total[index])})"
        raise NonFiniteLossError(
            f"expected a finite loss, got none {where}; {last}. "
            f"A lower --set learning_rate or --set precision=fp32 usually cures it"
        )
