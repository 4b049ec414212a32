"""Makes the bundled model `wesam-edge` from the published EfficientNet-Lite0 and generated scenes.

    pip install -e '.[recipes]'
    python recipes/wesam_edge.py --out runs/edge                    # two hours of one core
    python recipes/wesam_edge.py --out runs/edge                    # once more: goes on where it was interrupted
    python recipes/wesam_edge.py --out runs/quick --quick           # every part, in a minute

The folder gets `curve.jsonl` (losses, probes), `state.pt` (a checkpoint every ten minutes) and `model/` (what is
shipped).

What it learns from: scenes that `wesam.generated` draws, and ImageNet through the backbone's published weights. No
image of a dataset is trained on: batches come from the pool alone, whose every scene is drawn; datasets given by
`--dataset` are only probed, and nothing is chosen by them: the last averaged weights are exported.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: one process of one thread is the fastest a core
sys.path.insert(0, str(Path(__file__).parents[1]))

from recipes.edge.export import export
from recipes.edge.settings import Settings
from recipes.edge.train import Run


def main() -> None:
    """Command line."""
    options = _parser().parse_args()
    settings = Settings.for_minutes(options.core_minutes)
    if options.images:
        settings = replace(settings, steps=max(1, options.images // settings.images))
    if options.quick:
        settings = settings.quick()
    settings = replace(settings, seed=options.seed, datasets=dict(options.dataset))
    run = Run(options.out, settings, options.pool, options.workers)
    if not options.export:
        run.train()
    print(export(run.averaged(), options.out / "model"))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the run; a run there goes on")
    parser.add_argument("--core-minutes", type=float, default=100, help="about how long one core shall train")
    parser.add_argument("--images", type=int, help="instead: how many images in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pool", type=Path, help="folder of scenes drawn ahead; OUT/pool if not given")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw the pool")
    parser.add_argument(
        "--dataset", type=_named, action="append", default=[], metavar="NAME=PATH",
        help="a COCO dataset to probe on (images/, instances_test.json); may be given more than once",
    )  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="every part of the recipe, in a minute")
    parser.add_argument("--export", action="store_true", help="train no further; export the last checkpoint")
    return parser


def _named(text: str) -> tuple[str, Path]:
    name, _, path = text.partition("=")
    if not path:
        raise argparse.ArgumentTypeError(f"expected NAME=PATH, got {text}")
    return name, Path(path)


if __name__ == "__main__":
    main()
