"""The one loop that runs every method, on one device or many."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor

from wesam.batches.batch import Batch
from wesam.batches.dataset import TargetDataset, require_masks
from wesam.errors import NonFiniteLossError, WesamError
from wesam.health.candidates import CandidateFolder
from wesam.health.probe import split_samples
from wesam.methods.base import Method
from wesam.training.checkpoint import Checkpoint, list_checkpoints, load_checkpoint, save_checkpoint
from wesam.training.config import RunConfig
from wesam.training.forecast import Forecast, forecast_of
from wesam.training.guard import FiniteGuard, all_finite, culprits
from wesam.training.loading import batches_from, default_workers, is_worker_lost
from wesam.training.memory import MemoryGuard
from wesam.training.progress import LossWindow, Notes, Progress
from wesam.training.rate import base_rate, learning_rate
from wesam.training.run_folder import RunFolder
from wesam.training.trunk import remembered_trunk
from wesam.training.watch import HealthWatch, Selection, unwatched
from wesam.types import Sample
from wesam.updates.update import update_of

_CHECKPOINTS_KEPT = 2

# The paper's, in Adam's L2 form; towards the source model.
_WEIGHT_DECAY = 1e-4


@dataclass(frozen=True)
class TrainResult:
    """What a finished loop did in this call (a resumed run counts only its last part), and what it hands over."""

    steps: int
    seconds: float
    images_per_second: float
    resumed_from: int
    selection: Selection


def train(
    config: RunConfig,
    accelerator: Accelerator,
    method: Method,
    samples: Sequence[Sample],
    folder: RunFolder,
    masks: Sequence[Sample] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    on_message: Callable[[str], None] | None = None,
) -> TrainResult:
    """Runs `config.steps` optimiser steps, going on from the newest checkpoint in the folder if there is one.

    A method with nothing to learn takes no step: its adapter leaves the source model as it is. On the way the
    signals of health are measured on images that are held back; by them `config.selection` may end the run early,
    and chooses the adapter that it hands over.

    With W processes each takes its own micro-batch, so W processes with accumulation 1 compute the step of one
    process with accumulation W.

    What goes wrong on the way is mended where it can be (`training.memory`, `training.guard`), told by `on_message`,
    and noted in the run folder's metrics as rows with an "event".

    Args:
        samples: weakly labelled images; each image frame as it lies on disk.
        masks: those of them with objects whose true masks are learned from; all of them, for methods that need masks.

    Raises:
        NonFiniteLossError: if losses or gradients are not finite in spite of `training.guard`; checkpoints stay.
        WesamError: if a checkpoint or an image cannot be read, or memory does not suffice for one image.
    """
    if method.needs == "masks":
        require_masks(samples, masks or ())
    segmenter = method.segmenter
    split = split_samples(samples, config.health, config.seed, {sample.id for sample in masks or ()})
    dataset = TargetDataset(split.training, segmenter, config.views, seed=config.seed, masks=masks)
    notes = Notes(accelerator, folder, on_message or (lambda _: None))
    watch = None
    if config.health.every > 0 and method.trainable and accelerator.is_main_process:
        watch = HealthWatch(config, segmenter, split, CandidateFolder(folder.candidates), notes)
    loop = _Loop(config, accelerator, method, dataset, folder, notes, watch, on_progress)
    if on_message is not None and accelerator.is_main_process:
        loop.forecast = forecast_of(config, accelerator, loop.step, on_message)
    start, began = loop.step, time.perf_counter()
    with remembered_trunk(segmenter, config.views.fixed):
        loop.run()
    selection, weights = (unwatched(method.trainable), method.result()) if watch is None else watch.finish()
    seconds = time.perf_counter() - began

    update = update_of(segmenter)
    update.load(weights)
    if accelerator.is_main_process:
        update.save(folder.adapter)
        selection.write(folder.adapter)
    accelerator.wait_for_everyone()
    accelerator.end_training()
    segmenter.eval()
    images = (loop.step - start) * config.batch_size * config.accumulation * accelerator.num_processes
    return TrainResult(loop.step, seconds, images / seconds if images else 0.0, start, selection)


class _Loop:
    """The state of a run between two steps, and how it comes to the next.

    Attributes:
        step: optimiser steps done.
        steps: those of the whole run; fewer once it is stopped early.
    """

    def __init__(
        self,
        config: RunConfig,
        accelerator: Accelerator,
        method: Method,
        dataset: TargetDataset,
        folder: RunFolder,
        notes: Notes,
        watch: HealthWatch | None,
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self.config = config
        self.accelerator = accelerator
        self.method = method.to(accelerator.device)
        self.segmenter = method.segmenter
        self.dataset = dataset
        self.folder = folder
        self.notes = notes
        self.watch = watch
        self.update = update_of(self.segmenter)
        own = self.method.own_parameters()
        self.parameters = [*self.update.parameters(), *own]
        groups = [{"params": group.parameters, "rate": group.rate} for group in self.update.parameter_groups()]
        if own:
            groups.append({"params": own, "rate": 1.0})
        self.rate = base_rate(config, self.segmenter)
        adam = torch.optim.Adam(groups, lr=self.rate)
        self.wrapped, self.optimiser = accelerator.prepare(method, adam)
        self.memory = MemoryGuard(self.segmenter)
        self.guard = FiniteGuard()
        self.workers = default_workers(config, accelerator)
        self.window = LossWindow(accelerator, folder, config, on_progress, method.shown)
        self.forecast: Forecast | None = None
        self.step, self.steps = 0, config.steps if method.trainable else 0
        if list_checkpoints(folder.checkpoints):
            self._restore()
        else:
            if watch is not None:
                watch.rewind(0)
            self.method.prepare(dataset)
            if self.steps:
                self._save()  # there is always a place to go back to
        if config.trackers:
            accelerator.init_trackers("wesam")

    def run(self) -> None:
        """Takes the steps that are left."""
        if self.watch is not None and self.watch.lacks(0):
            self._measure(0)
        if self._stalled():
            self.steps = self.step
        self.segmenter.train()
        while self.step < self.steps:
            try:
                self._go()
            except RuntimeError as error:
                if not is_worker_lost(error) or self.accelerator.num_processes > 1:
                    raise
                lost = str(error).splitlines()[0]
            else:
                continue
            # The news may have come in the middle of an update, so nothing in memory is trusted.
            self._restore()
            self.workers //= 2
            self.notes.add(
                self.step,
                "worker lost",
                f"a process that loads images was killed ({lost}); "
                f"going on from step {self.step} with {self.workers} of them",
            )
        if self.watch is not None and self.watch.lacks(self.step):
            self._measure(self.step)

    def _go(self) -> None:
        """Takes steps until the run ends, or has gone back to a checkpoint."""
        config = self.config
        batches = batches_from(self.step, self.steps, self.dataset, config, self.accelerator, self.workers)
        while self.step < self.steps:
            rate = learning_rate(config, self.rate, self.step) * self.guard.rate
            self.method.progress = self.step / config.steps
            moved = self._take_step([next(batches) for _ in range(config.accumulation)], rate)
            if not moved and self.guard.must_go_back:
                return self._go_back()
            self.step += 1
            if self.forecast is not None:
                self.forecast.stepped()
            measured = config.health.every > 0 and (
                self.step % config.health.every == 0
                or self.step == self.steps
                or (self.step == 1 and config.start is not None)  # what it came with is a candidate
            )
            due = self.step % config.checkpoint_every == 0 or self.step == self.steps
            if due or measured or self.step % config.log_every == 0:
                self.window.flush(self.step, rate)
            else:
                self.window.tick(self.step)
            if (measured or due) and not all_finite(self.update.tensors()):
                return self._go_back()
            if measured:
                if self.watch is not None:
                    self._measure(self.step)
                    self.window.clear()  # its clock must not count the measurement
                if self._stalled():
                    self.steps, due = self.step, True
                    self.notes.add(
                        self.step,
                        "early stop",
                        f"step {self.step}: stopped early, the signals of health chose no later adapter",
                    )
            if due and self.guard.streak == 0:
                self._save()
        return None

    def _measure(self, step: int) -> None:
        assert self.watch is not None
        began = time.monotonic()
        signals = self.watch.measure(step, self.method.result())
        if self.forecast is not None:
            self.forecast.measured(time.monotonic() - began)
        self.folder.append_metrics({"step": step, "health": signals})
        self.accelerator.log({f"health/{name}": value for name, value in signals.items()}, step=step)

    def _stalled(self) -> bool:
        """Whether the run ends here, since the choice of its adapter has not changed for long enough."""
        if self.config.selection.patience is None or self.step == self.steps:
            return False
        stalled = torch.tensor(float(self.watch is not None and self.watch.stalled()), device=self.accelerator.device)
        return bool(self.accelerator.reduce(stalled, reduction="sum"))

    def _take_step(self, batches: list[Batch], rate: float) -> bool:
        """Whether the weights moved; they do not where loss or gradient is not finite."""
        on_device = [batch.to(self.accelerator.device) for batch in batches]
        losses = self._gradients(on_device)
        norm = self.accelerator.clip_grad_norm_(self.parameters, self.config.max_gradient_norm or math.inf)
        good = self.guard.judge(self.accelerator, losses, norm)
        if good or self.accelerator.scaler is not None:
            for group in self.optimiser.param_groups:
                group["lr"] = rate * group["rate"]
            self.update.decay(_WEIGHT_DECAY)
            self.optimiser.step()
        self.optimiser.zero_grad()
        if good:
            if not self.optimiser.step_was_skipped:  # by fp16's scaler
                self.method.after_step()
            for batch, loss in zip(batches, losses, strict=True):
                self.window.add(len(batch), loss)
        else:
            # One process's images may have spoilt the step of all; where no image alone is bad, all are named.
            bad = gather_object(culprits(self.method, on_device))
            names = list(dict.fromkeys(bad or gather_object([name for batch in batches for name in batch.sample_ids])))
            self.guard.suspects += [name for name in names if name not in self.guard.suspects]
            self.notes.add(
                self.step + 1,
                "step left out",
                f"step {self.step + 1}: loss or gradient is not finite on {', '.join(names)}; "
                f"left out ({self.guard.streak} in a row)",
                images=names,
            )
        return good

    def _gradients(self, batches: list[Batch]) -> list[dict[str, Tensor]]:
        """Losses of each batch; their mean's gradient lies in the parameters. Smaller pieces where memory ends."""
        if self.accelerator.num_processes > 1:
            # When memory ends in one process, the others already wait for its gradients.
            return self._backward(batches, parts=1)
        number = self.step + 1
        return self.memory.fit(
            len(batches[0]),
            lambda parts: self._backward(batches, parts),
            lambda said: self.notes.add(number, "out of memory", f"step {number}: {said}"),
        )

    def _backward(self, batches: list[Batch], parts: int) -> list[dict[str, Tensor]]:
        self.optimiser.zero_grad()  # of an attempt that memory did not suffice for
        losses: list[dict[str, Tensor]] = [{} for _ in batches]
        pieces = [(number, piece) for number, batch in enumerate(batches) for piece in batch.split(parts)]
        world, rank = self.accelerator.num_processes, self.accelerator.process_index
        for place, (number, piece) in enumerate(pieces, start=1):
            share = len(piece) / len(batches[number])
            # Dropout is the only draw that is not tied to an item; tie it to the step and the micro-batch.
            if place == 1 or pieces[place - 2][0] != number:
                torch.manual_seed(_mixed_seed(self.config.seed, self.step, number * world + rank))
            # Gradients travel between processes once a step.
            with nullcontext() if place == len(pieces) else self.accelerator.no_sync(self.wrapped):
                named = self.wrapped(piece)
                self.accelerator.backward(named["total"] * (share / len(batches)))
            for name, loss in named.items():
                own = share * loss.detach()
                losses[number][name] = losses[number][name] + own if name in losses[number] else own
        return losses

    def _go_back(self) -> None:
        """To the last checkpoint, at half the learning rate.

        Raises:
            NonFiniteLossError: if that was tried as often as it may be.
        """
        last = list_checkpoints(self.folder.checkpoints)[-1]
        reached, suspects, rollbacks = self.step + 1, self.guard.suspects, self.guard.rollbacks + 1
        if self.guard.must_stop:
            raise NonFiniteLossError(
                f"expected finite losses and gradients, got none at step {reached} on {', '.join(suspects)}, "
                f"after {self.guard.rollbacks} returns to a checkpoint; the last good one is {last}. "
                f"A lower --set learning_rate or --set precision=fp32 usually cures it"
            )
        self.accelerator.wait_for_everyone()
        self._restore()
        self.guard.rollbacks = rollbacks
        self.notes.add(
            self.step,
            "rollback",
            f"step {reached}: not finite; back at step {self.step}, at {self.guard.rate:g} of the learning rate",
            images=suspects,
        )

    def _save(self) -> None:
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            scaler = self.accelerator.scaler
            state = Checkpoint(
                step=self.step,
                adapter=self.update.state(),
                optimiser=self.optimiser.state_dict(),
                extra=self.method.own_state(),
                scaler=scaler.state_dict() if scaler is not None else {},
                processes=self.accelerator.num_processes,
                rollbacks=self.guard.rollbacks,
            )
            save_checkpoint(self.folder.checkpoints, state, keep=_CHECKPOINTS_KEPT)

    def _restore(self) -> None:
        """The state of the newest checkpoint; what was logged after it will be logged again.

        Raises:
            WesamError: if it cannot be read, or another number of processes made it: they would see other images.
        """
        newest = list_checkpoints(self.folder.checkpoints)[-1]
        state = load_checkpoint(newest)
        if state.processes != self.accelerator.num_processes:
            raise WesamError(
                f"{newest}: expected {state.processes} process(es), with which this run was begun, got "
                f"{self.accelerator.num_processes}"
            )
        self.update.load(state.adapter, source=str(newest))
        self.method.load_own_state(state.extra)
        self.optimiser.load_state_dict(state.optimiser)
        self.optimiser.zero_grad()
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(state.scaler)
        self.guard.reset()
        self.guard.rollbacks = state.rollbacks
        self.step = state.step
        self.window.clear()
        if self.accelerator.is_main_process:
            self.folder.cut_metrics(self.step)
        if self.watch is not None:
            self.watch.rewind(self.step)


def _mixed_seed(seed: int, step: int, batch: int) -> int:
    return ((seed * 1_000_003 + step) * 1_009 + batch) % 2**63
