"""Batches in the order of the run, from processes that may die."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator

from accelerate import Accelerator
from torch.utils.data import DataLoader

from wesam.batches.batch import Batch
from wesam.batches.dataset import TargetDataset, collate
from wesam.batches.sampler import StepSampler
from wesam.errors import WesamError
from wesam.training.config import RunConfig

_WORKER_LOST = re.compile(r"DataLoader worker \(pid\(?s?\)? ?[\d, ]+\) (is killed|exited)")


def default_workers(config: RunConfig, accelerator: Accelerator) -> int:
    """Processes that load images: as set, else 4 beside an accelerator."""
    if config.workers is not None:
        return config.workers
    return 0 if accelerator.device.type == "cpu" else 4


def batches_from(
    step: int, steps: int, dataset: TargetDataset, config: RunConfig, accelerator: Accelerator, workers: int
) -> Iterator[Batch]:
    """This process's micro-batches from `step` on, still on the CPU.

    Raises:
        WesamError: if an image cannot be read; in one line, without a loader process's traceback.
    """
    sampler = StepSampler(
        len(dataset),
        batch_size=config.batch_size,
        steps=steps,
        seed=config.seed,
        start_step=step,
        rank=accelerator.process_index,
        world=accelerator.num_processes,
        accumulation=config.accumulation,
    )
    loader = DataLoader(
        dataset, batch_sampler=sampler, num_workers=workers, collate_fn=collate, worker_init_fn=_leave_interrupts
    )
    try:
        yield from loader
    except WesamError as error:
        raise WesamError(str(error).strip().rpartition("WesamError: ")[2]) from error


def is_worker_lost(error: BaseException) -> bool:
    """Whether a loader process was killed. torch says so from a signal handler, at any point of the main process."""
    return isinstance(error, RuntimeError) and _WORKER_LOST.search(str(error)) is not None


def _leave_interrupts(_: int) -> None:
    # Ctrl-C reaches every process of a terminal; the main one answers it, in one line.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
