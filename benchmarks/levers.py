"""What a lever of speed does to the result: gain in mIoU and processor minutes of whole runs.

    python benchmarks/levers.py --out levers --arm both --arm strong:method.anchor_views=strong
    python benchmarks/levers.py --out levers --model wesam-edge --family medical --seeds 3 \
        --arm whole --arm "last half:update.last=0.5"

An arm is a name and, behind a colon, settings as `wesam adapt --set` takes them, separated by spaces. Images of each
family are generated once, and scored on others of it. Finished runs in --out are not run again. Scores are of the
adapter that the run hands over; "last" is that of the last step.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch

PROMPTS = ("box", "click")


def dataset(root: Path, family: str, train: int, test: int) -> Path:
    folder = root / f"{family}-{train}-{test}"
    if not folder.exists():
        command = ["generate", "--family", family, "--train", str(train), "--test", str(test), "--size", "256"]
        subprocess.run([sys.executable, "-m", "wesam", *command, "--out", str(folder)], check=True, capture_output=True)
    return folder


def one_run(options: argparse.Namespace, family: str, arm: str, seed: int) -> dict[str, float]:
    """Gains of one run in points of mIoU, and its processor minutes."""
    from wesam.adaptation import run
    from wesam.training.config import make_config

    name, _, settings = arm.partition(":")
    out = options.out / f"{options.model}-{family}-{options.steps}-{name.replace(' ', '-')}-{seed}"
    record = out / "lever.json"
    if not record.exists():
        data = dataset(options.out, family, options.images, options.test)
        values = {
            "model": options.model,
            "images": data / "images",
            "labels": data / "weak_train.json",
            "val_labels": data / "instances_test.json",
            "out": out,
            "steps": options.steps,
            "seed": seed,
            "device": "cpu",
            "previews": 0,
            "trackers": [],
        }
        began = time.process_time()
        result = run(make_config(values, overrides=settings.split()))
        minutes = (time.process_time() - began) / 60
        scores = result.summary["evaluation"]
        gains = {prompt: 100 * (scores[prompt]["adapted"] - scores[prompt]["source"]) for prompt in PROMPTS}
        record.write_text(json.dumps({**gains, "step": result.summary["selection"]["step"], "minutes": minutes}))
    found: dict[str, float] = json.loads(record.read_text())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", default="wesam-tiny")
    parser.add_argument("--family", action="append", help="of generated images; repeatable (default: medical)")
    parser.add_argument("--arm", action="append", required=True)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--test", type=int, default=24)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{options.model}, {options.steps} steps, {options.images} images, {options.seeds} seed(s), 1 thread")
    print(
        "| family | arm | gain box | gain click | chosen step | processor minutes |\n"
        "| --- | --- | --- | --- | --- | --- |"
    )
    for family in options.family or ["medical"]:
        for arm in options.arm:
            runs = [one_run(options, family, arm, seed) for seed in range(options.seeds)]
            mean = {key: statistics.mean(run[key] for run in runs) for key in runs[0]}
            print(
                f"| {family} | {arm} | {mean['box']:+.2f} | {mean['click']:+.2f} | {mean['step']:.0f} | "
                f"{mean['minutes']:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
