"""`wesam demo`: the main job, offline, on the bundled model and images made on the spot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from wesam.adaptation import AdaptResult, run
from wesam.errors import WesamError
from wesam.generated.coco import write_coco
from wesam.training.config import make_config
from wesam.training.progress import Progress

FAMILY = "medical"
TRAIN_IMAGES = 60
TEST_IMAGES = 30
LEARNING_RATE = 5e-4  # a small model needs larger steps than ViT-B: docs/experiments/2026-11-23-boxes-to-adapter.md


def run_demo(
    out: Path,
    steps: int,
    seed: int,
    on_progress: Callable[[Progress], None] | None = None,
    on_message: Callable[[str], None] | None = None,
) -> AdaptResult:
    """Makes target images with boxes only, adapts `wesam-tiny` to them, and scores it on others with masks.

    Raises:
        WesamError: if `out` holds files already.
    """
    if out.exists() and any(out.iterdir()):
        raise WesamError(f"{out}: expected a new or empty folder, got one that holds files")
    tell = on_message or (lambda _: None)
    data = out / "data"
    tell(f"drawing {TRAIN_IMAGES} {FAMILY} images with boxes only, and {TEST_IMAGES} to score on")
    write_coco(FAMILY, data, TRAIN_IMAGES, seed=seed, split="train")
    write_coco(FAMILY, data, TEST_IMAGES, seed=seed, split="test")
    config = make_config(
        {
            "model": "wesam-tiny",
            "images": data / "images",
            "labels": data / "weak_train.json",
            "val_labels": data / "instances_test.json",
            "out": out / "run",
            "steps": steps,
            "seed": seed,
            "learning_rate": LEARNING_RATE,
        }
    )
    return run(config, on_progress=on_progress, on_message=on_message)
