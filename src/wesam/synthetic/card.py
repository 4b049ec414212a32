"""The table of a model card: what the model reaches, beside what needs no network.

python -m wesam.synthetic.card MODEL --pack nuclei=PATH --pack natural=PATH
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from transformers import SamModel

from wesam.synthetic import probe
from wesam.synthetic.canvas import Scene

_COLUMNS = (
    "box",
    "5+5 points",
    "1 point",
    "box, other image",
    "box, zeros",
    "points, other image",
    "filled box",
    "inscribed ellipse",
    "GrabCut",
    "automatic recall",
    "IoU head r",
)

#: Finding prompts asks about a thousand points an image: more images would take longer than all else together.
_RECALL_IMAGES = 20


def measure(sam: SamModel, test: list[Scene], most: int | None = None) -> dict[str, float]:
    """Every column of one row; mIoU in percent, the recall of automatic prompts (few images), a correlation."""
    features = probe.embed(sam, test)

    def ask(kind: probe.Kind, swap: probe.Swap = "right") -> dict[str, float]:
        return probe.evaluate(sam, test, kind, swap, most, features=features)

    box, trivial = ask("box"), probe.trivial(test, most)
    values = (
        box["miou"],
        ask("points")["miou"],
        ask("point")["miou"],
        ask("box", "other")["miou"],
        ask("box", "zeros")["miou"],
        ask("points", "other")["miou"],
        trivial["box"],
        trivial["ellipse"],
        trivial["grabcut"],
        probe.automatic_recall(sam, test[:_RECALL_IMAGES]),
        box["correlation"],
    )
    return dict(zip(_COLUMNS, values, strict=True))


def head() -> str:
    """The table's first two lines, markdown."""
    return "\n".join(["| mIoU (%) | " + " | ".join(_COLUMNS) + " |", "| --- |" + " ---: |" * len(_COLUMNS)])


def line(name: str, row: dict[str, float]) -> str:
    """One line of the table."""
    cells = [f"{row[c]:.2f}" if c == "IoU head r" else f"{row[c]:.1f}" for c in _COLUMNS]
    return f"| {name} | " + " | ".join(cells) + " |"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Measure a model for its card.")
    parser.add_argument("model", type=Path)
    parser.add_argument("--family", nargs="*", default=["source"], help="families of synthetic scenes")
    parser.add_argument("--count", type=int, default=100, help="scenes a family")
    parser.add_argument("--pack", nargs="*", default=[], metavar="NAME=PATH", help="COCO packs with a test split")
    parser.add_argument("--most", type=int, default=None, help="instances an image, all if not given")
    options = parser.parse_args()
    sam = SamModel.from_pretrained(options.model, dtype=torch.float32)
    print(head())
    for family in options.family:
        scenes = probe.scenes(family, 3_000_000, options.count)
        print(line(f"{family} scenes", measure(sam, scenes, options.most)), flush=True)
    for pack in options.pack:
        name, path = pack.split("=", 1)
        print(line(f"{name} pack", measure(sam, probe.pack_scenes(Path(path)), options.most)), flush=True)


if __name__ == "__main__":
    main()
