"""The processes, the device and the trackers of a run."""

from __future__ import annotations

from datetime import timedelta

from accelerate import Accelerator
from accelerate.tracking import get_available_trackers
from accelerate.utils import DistributedDataParallelKwargs, InitProcessGroupKwargs, ProjectConfiguration

from wesam.errors import WesamError
from wesam.training.config import RunConfig
from wesam.training.run_folder import RunFolder

# How long other processes wait while one filters automatic prompts or measures health: with many images that may
# take longer than the ten minutes after which NCCL gives up.
_PATIENCE = timedelta(hours=2)


def make_accelerator(config: RunConfig, folder: RunFolder) -> Accelerator:
    """The process group, device and trackers of a run. `accelerate launch` and `torchrun` are recognised.

    Raises:
        WesamError: if a tracker is not installed, or another run of this Python process needed another state of
            accelerate, which has but one.
    """
    absent = sorted(set(config.trackers) - {"all", *map(str, get_available_trackers())})
    if absent:
        raise WesamError(f"trackers: expected installed ones, got {absent[0]}, whose package is not")
    try:
        return Accelerator(
            # The segmenter runs its own autocast, so only fp16's gradient scaler is asked of accelerate.
            mixed_precision="fp16" if config.precision == "fp16" else "no",
            cpu=config.device == "cpu",
            log_with=list(config.trackers) or None,
            project_config=ProjectConfiguration(logging_dir=str(folder.root / "tensorboard")),
            kwargs_handlers=[
                InitProcessGroupKwargs(timeout=_PATIENCE),
                DistributedDataParallelKwargs(find_unused_parameters=not config.update.all_learn),
            ],
        )
    except ValueError as error:
        raise WesamError(
            f"precision, device: expected those of the run before in this Python process, as fp16 and a change of "
            f"device need a process of their own, got precision={config.precision} and device={config.device}: {error}"
        ) from error
