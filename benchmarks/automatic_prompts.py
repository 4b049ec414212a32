"""Time and peak memory of looking for prompts in one large image, on the CPU.

    python benchmarks/automatic_prompts.py --model wesam-tiny --width 4000 --height 3000 --tile 1024
    python benchmarks/automatic_prompts.py --model wesam-tiny --width 4000 --height 3000 --tile 1024 --limit-gb 6

Each part is timed apart: asking (views encoded and decoded, kept as they are in the cache) and choosing (thresholds,
suppression, masks at full size). Peak memory is that of the whole process. With --limit-gb it fails above that.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time

import numpy as np
from ellipses import picture, random_ellipses

from wesam.automatic.candidates import find_candidates
from wesam.automatic.select import choose_thresholds, select_masks
from wesam.automatic.settings import AutomaticSettings, GridSettings
from wesam.updates.load import load_segmenter


def peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="wesam-tiny")
    parser.add_argument("--width", type=int, default=4000)
    parser.add_argument("--height", type=int, default=3000)
    parser.add_argument("--tile", type=int, default=1024)
    parser.add_argument("--overlap", type=int, default=64)
    parser.add_argument("--points-per-side", type=int, default=32)
    parser.add_argument("--objects", type=int, default=400)
    parser.add_argument("--limit-gb", type=float, default=None, help="fail above this peak")
    options = parser.parse_args()

    segmenter = load_segmenter(options.model, device="cpu")
    rng = np.random.default_rng(0)
    ellipses = random_ellipses(options.width, options.height, options.objects, rng)
    image = picture(options.width, options.height, ellipses, rng)
    before = peak_gb()
    start = time.perf_counter()
    grid = GridSettings(points_per_side=options.points_per_side)
    found = find_candidates(segmenter, image, grid, options.tile, options.overlap)
    asked = time.perf_counter()
    settings = AutomaticSettings(grid=grid)
    thresholds = choose_thresholds([found], settings)
    masks = select_masks(found, thresholds, settings, segmenter, image.shape[:2])
    end = time.perf_counter()
    print(
        f"{options.width} x {options.height}, tiles of {options.tile}: {len(found.crops)} views, "
        f"{len(found)} candidates ({found.logits.nbytes / 2**20:.0f} MB), {len(masks)} prompts; "
        f"asking {asked - start:.1f} s, choosing {end - asked:.1f} s; "
        f"peak {peak_gb():.2f} GB ({before:.2f} GB before)"
    )
    if options.limit_gb is not None and peak_gb() > options.limit_gb:
        sys.exit(f"expected a peak of at most {options.limit_gb} GB, got {peak_gb():.2f} GB")


if __name__ == "__main__":
    main()
