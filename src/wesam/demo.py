"""`wesam demo`: the main job, offline, on the bundled model and images made on the spot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from wesam.adaptation import AdaptResult, run
from wesam.assets import bundled_models
from wesam.errors import WesamError
from wesam.generated.coco import write_coco
from wesam.training.config import make_config
from wesam.training.progress import Progress

FAMILY = "medical"
TRAIN_IMAGES = 60
TEST_IMAGES = 30
#: The stronger one first.
MODELS = ("wesam-edge", "wesam-tiny")
#: Small models need larger steps than ViT-B, and an encoder of 1 x 1 convolutions larger ones than a ViT.
LEARNING_RATES = {"wesam-tiny": 5e-4}
LEARNING_RATE = 2e-3
WARMUP_STEPS = 30
#: Boxes prompt the teacher, clicks the student: what boxes teach serves clicks. The source model holds it on one view
#: alone, and no health is measured: the last step is handed over, as time is short.
SETTINGS: dict[str, Any] = {
    "method": {
        "student_prompt_weight": 2.0,
        "student_prompts": ("clicks",),
        "anchor_views": "strong",
        "anchor_weight": 0.5,
        "box_projection_weight": 0.6,
    },
    "update": {"kind": "lora", "rank": 8},
    "health": {"every": 0},
    "selection": {"rule": "last"},
}


def run_demo(
    out: Path,
    steps: int,
    seed: int,
    on_progress: Callable[[Progress], None] | None = None,
    on_message: Callable[[str], None] | None = None,
    model: str | None = None,
) -> AdaptResult:
    """Makes target images with boxes only, adapts a model to them, and scores it on others with masks.

    Args:
        out: a new or empty folder.
        steps, seed: of the run.
        on_progress, on_message: as for `adaptation.run`.
        model: as for `adapt`; None for the strongest bundled one.

    Raises:
        WesamError: if `out` holds files already.
    """
    if out.exists() and any(out.iterdir()):
        raise WesamError(f"{out}: already holds files; choose a new or empty folder")
    tell = on_message or (lambda _: None)
    data = out / "data"
    tell(f"drawing {TRAIN_IMAGES} {FAMILY} images with boxes only, and {TEST_IMAGES} to score on")
    write_coco(FAMILY, data, TRAIN_IMAGES, seed=seed, split="train")
    write_coco(FAMILY, data, TEST_IMAGES, seed=seed, split="test")
    model = model or next(name for name in MODELS if name in bundled_models())
    config = make_config(
        {
            **SETTINGS,
            "model": model,
            "images": data / "images",
            "labels": data / "weak_train.json",
            "val_labels": data / "instances_test.json",
            "out": out / "run",
            "steps": steps,
            "warmup_steps": min(WARMUP_STEPS, steps // 4),
            "seed": seed,
            "learning_rate": LEARNING_RATES.get(model, LEARNING_RATE),
        }
    )
    return run(config, on_progress=on_progress, on_message=on_message)
