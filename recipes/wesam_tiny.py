"""The recipe of the bundled `wesam-tiny`: a small SAM trained from nothing on generated scenes.

    python recipes/wesam_tiny.py [--config FILE]

The same command goes on after a stop. In several processes (on a CPU two of one thread each beat one of two):

    OMP_NUM_THREADS=1 ACCELERATE_USE_CPU=true torchrun --nproc_per_node 2 recipes/wesam_tiny.py --config FILE
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from recipes.pretraining.pretrain import PretrainConfig, load_config, pretrain
from wesam.errors import WesamError


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, help="YAML file of settings; absent: the recipe of wesam-tiny")
    config = parser.parse_args(arguments).config
    try:
        print(f"model written to {pretrain(load_config(config) if config else PretrainConfig())}")
    except WesamError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
