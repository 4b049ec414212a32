"""The table of a model card: what the model reaches, beside what needs no network.

python -m recipes.pretraining.card MODEL --pack nuclei=PATH natural=PATH
python -m recipes.pretraining.card MODEL --shift --family natural medical --corruption fog
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from transformers import SamModel

from recipes.pretraining import probe, shift
from wesam import markdown
from wesam.corruptions import CORRUPTIONS, corrupt
from wesam.generated.canvas import Scene

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

#: Of scenes that no pool used.
_SEED = 3_000_000

#: Enough for objects of every size.
_SOURCE_SCENES = 200


def measure(sam: SamModel, test: list[Scene], most: int | None = None) -> dict[str, float]:
    """Every column of one row; mIoU in percent, the recall of automatic prompts (few images), a correlation."""
    features = probe.embed(sam, test)

    def ask(kind: probe.Kind, swap: probe.Swap = "right") -> probe.Answers:
        return probe.evaluate(sam, test, kind, swap, most, features=features)

    box, trivial = ask("box"), probe.trivial(test, most)
    values = (
        box.miou,
        ask("points").miou,
        ask("point").miou,
        ask("box", "other").miou,
        ask("box", "zeros").miou,
        ask("points", "other").miou,
        trivial["box"],
        trivial["ellipse"],
        trivial["grabcut"],
        probe.automatic_recall(sam, test[:_RECALL_IMAGES]),
        box.correlation,
    )
    return dict(zip(_COLUMNS, values, strict=True))


def head() -> str:
    """The table's first two lines, markdown."""
    return markdown.head(["mIoU (%)", *_COLUMNS])


def line(name: str, row: dict[str, float]) -> str:
    """One line of the table."""
    cells = [f"{row[c]:.2f}" if c == "IoU head r" else f"{row[c]:.1f}" for c in _COLUMNS]
    return markdown.line([name, *cells])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Measure a model for its card.")
    parser.add_argument("model", type=Path)
    parser.add_argument("--family", nargs="*", default=["source"], help="families of synthetic scenes")
    parser.add_argument("--count", type=int, default=100, help="scenes a family")
    parser.add_argument("--pack", nargs="*", default=[], metavar="NAME=PATH", help="COCO packs with a test split")
    parser.add_argument("--most", type=int, default=None, help="instances an image, all if not given")
    parser.add_argument("--shift", action="store_true", help="instead: beside source scenes at the same object sizes")
    parser.add_argument(
        "--corruption", nargs="*", default=[], metavar="NAME", help="with --shift: source scenes spoilt, or `all`"
    )
    options = parser.parse_args()
    sam = SamModel.from_pretrained(options.model, dtype=torch.float32)
    sets = _image_sets(options.family, options.count, options.pack)
    if options.shift:
        _print_shifts(sam, sets, CORRUPTIONS if options.corruption == ["all"] else options.corruption, options.count)
    else:
        print(head())
        for name, test in sets:
            print(line(name, measure(sam, test, options.most)), flush=True)


def _image_sets(families: list[str], count: int, packs: list[str]) -> Iterator[tuple[str, list[Scene]]]:
    for family in families:
        yield f"{family} scenes", probe.scenes(family, _SEED, count)
    for pack in packs:
        name, path = pack.split("=", 1)
        yield f"{name} pack", probe.pack_scenes(Path(path))


def _print_shifts(
    sam: SamModel, sets: Iterator[tuple[str, list[Scene]]], corruptions: Sequence[str], count: int
) -> None:
    """Sets beside source scenes of their sizes, then source scenes beside themselves, spoilt at severities 1 and 5."""
    print(shift.head())
    scenes = probe.scenes("source", _SEED, max(count, _SOURCE_SCENES))
    source = shift.score(sam, scenes)
    for name, test in sets:
        print(shift.line(name, shift.score(sam, test), source), flush=True)
    clean = {name: scored.first(count) for name, scored in source.items()}
    for name, severity in itertools.product(corruptions, (1, 5)):
        spoilt = [
            replace(scene, image=corrupt(scene.image, name, severity, i)) for i, scene in enumerate(scenes[:count])
        ]
        print(shift.line(f"{name} {severity}", shift.score(sam, spoilt), clean), flush=True)


if __name__ == "__main__":
    main()
