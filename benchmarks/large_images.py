"""Processor time and peak memory of every command on large images with many objects, on the CPU.

    python benchmarks/large_images.py --out large --width 4000 --height 3000 --objects 450
    python benchmarks/large_images.py --out large --width 4000 --height 3000 --objects 450 --limit-gb 6

Images of ellipses with their boxes and exact masks are generated once. Each command is a process of its own; its
peak memory is the system's count of what it held at most. With --limit-gb it fails above that.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from ellipses import picture, random_ellipses
from PIL import Image

from wesam.labels.write_coco import write_coco
from wesam.masks import encode_mask, mask_box
from wesam.types import Instance, Sample


def write_images(folder: Path, count: int, width: int, height: int, objects: int) -> None:
    """`images/` and `masks.json`: COCO with boxes and compressed run-length encodings."""
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    samples = []
    for number in range(1, count + 1):
        ellipses = random_ellipses(width, height, objects, rng)
        file = folder / "images" / f"{number}.png"
        Image.fromarray(picture(width, height, ellipses, rng)).save(file, compress_level=1)
        instances = []
        for place, ellipse in enumerate(ellipses, start=1):
            mask = np.zeros((height, width), np.uint8)
            ellipse.draw(mask, 1)
            rle = encode_mask(mask > 0)
            instances.append(Instance(str(place), box=mask_box(rle), rle=rle, category="ellipse"))
        samples.append(Sample(file.name, file, width, height, tuple(instances)))
    write_coco(samples, folder / "masks.json")


def commands(model: str, data: Path, out: Path, steps: int, tile: int) -> dict[str, list[str]]:
    """The command lines by what they show; `evaluate` and `predict` take the adapter of "adapt"."""
    given = ["--images", str(data / "images"), "--labels", str(data / "masks.json")]
    short = ["--set", f"steps={steps}", "--set", "warmup_steps=1", "--set", "device=cpu"]
    adapted = ["--model", model, "--adapter", str(out / "adapt" / "adapter"), "--device", "cpu"]
    tiles = ["--tile", str(tile)]

    def adapt(name: str, *options: str) -> list[str]:
        return ["adapt", "--model", model, *given, "--out", str(out / name), *short, *options]

    return {
        "check": ["check", *given],
        "adapt": adapt("adapt"),
        "adapt, tiles": adapt("adapt-tiles", *tiles),
        "adapt, outlines": adapt("adapt-outlines", "--prompt", "mask"),
        "adapt, supervised": adapt("adapt-supervised", "--set", "method.name=supervised"),
        "evaluate": ["evaluate", *adapted, *given, "--out", str(out / "evaluate")],
        "evaluate, tiles": ["evaluate", *adapted, *given, "--out", str(out / "evaluate-tiles"), *tiles],
        "predict": ["predict", *adapted, *given, "--out", str(out / "predict")],
        "predict, tiles": ["predict", *adapted, *given, "--out", str(out / "predict-tiles"), *tiles],
    }


def measured(arguments: list[str], log: Path) -> tuple[float, float]:
    """Processor seconds, and peak memory in GB (2^30 bytes), of one command."""
    with log.open("w") as output:
        process = subprocess.Popen([sys.executable, "-m", "wesam", *arguments], stdout=output, stderr=output)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{shlex.join(arguments)}: exit status {process.returncode}\n{log.read_text()}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for images and results")
    parser.add_argument("--model", default="wesam-tiny")
    parser.add_argument("--width", type=int, default=4000)
    parser.add_argument("--height", type=int, default=3000)
    parser.add_argument("--objects", type=int, default=450, help="in each image")
    parser.add_argument("--images", type=int, default=1)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--tile", type=int, default=1024)
    parser.add_argument("--only", action="append", help="one row of the table; repeatable")
    parser.add_argument("--limit-gb", type=float, default=None, help="fail above this peak")
    options = parser.parse_args()

    data = options.out / f"{options.images}-of-{options.width}x{options.height}-{options.objects}"
    if not data.exists():
        write_images(data, options.images, options.width, options.height, options.objects)
    results = options.out / "results"
    results.mkdir(exist_ok=True)
    print(f"images: {options.images} of {options.width} x {options.height}, {options.objects} objects each")
    print("| command | processor seconds | peak GB |\n| --- | --- | --- |", flush=True)
    worst = 0.0
    for name, arguments in commands(options.model, data, results, options.steps, options.tile).items():
        if options.only and name not in options.only:
            continue
        folder = results / name.replace(", ", "-")
        shutil.rmtree(folder, ignore_errors=True)  # of an earlier measurement
        seconds, peak = measured(arguments, folder.with_suffix(".txt"))
        print(f"| {name} | {seconds:.0f} | {peak:.2f} |", flush=True)
        worst = max(worst, peak)
    if options.limit_gb is not None and worst > options.limit_gb:
        sys.exit(f"expected a peak of at most {options.limit_gb} GB, got {worst:.2f} GB")


if __name__ == "__main__":
    main()
