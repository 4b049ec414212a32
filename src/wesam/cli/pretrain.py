"""`wesam pretrain`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wesam.cli.console import say


def pretrain(
    config: Annotated[
        Path | None, typer.Option("--config", help="YAML file of settings; absent: the recipe of wesam-tiny.")
    ] = None,
) -> None:
    """Train a small SAM from nothing on generated scenes; the same command goes on after a stop.

    In several processes (on a CPU two of one thread each are faster than one of two threads):
    OMP_NUM_THREADS=1 ACCELERATE_USE_CPU=true torchrun --nproc_per_node 2 -m wesam pretrain --config FILE
    """
    from wesam.synthetic.pretrain import PretrainConfig, load_config
    from wesam.synthetic.pretrain import pretrain as train

    say(f"model written to {train(load_config(config) if config else PretrainConfig())}")
