"""Source, adapted and supervised model on one image set, over seeds: the table a claim needs.

    python -m wesam.experiments.compare --model wesam-tiny --pack PACK --out runs/nuclei --seed 0 --seed 1 --seed 2
    python -m wesam.experiments.compare ... --corruption fog --severity 5
    python -m wesam.experiments.compare ... --arm wesam --arm "no anchor: objective.anchor_weight=0"

A pack is a folder with `images/`, `weak_train.json` (boxes alone), `instances_train.json` (masks of the same images,
for the supervised arm only) and `instances_test.json` (masks, for scoring only). Every arm sees the same images,
prompts and steps. Finished runs are kept: the same command goes on where it was stopped.
"""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from wesam.adaptation import run
from wesam.errors import WesamError
from wesam.evaluation.evaluate import evaluate
from wesam.evaluation.scores import TRIVIAL_METHODS
from wesam.labels.check import load_samples
from wesam.prompts.weak_labels import PromptKind
from wesam.segmenters.load import load_segmenter
from wesam.training.config import make_config
from wesam.types import Sample
from wesam.views.corruptions import corrupt_folder

PROMPTS: tuple[PromptKind, ...] = ("box", "point")
SUPERVISED = "supervised"


@dataclass(frozen=True)
class Arm:
    """One way to adapt: a name and what it changes in the config, as `--set` takes it."""

    name: str
    settings: tuple[str, ...]

    @staticmethod
    def parse(text: str) -> Arm:
        """From "name" or "name: key=value key=value"; the name "supervised" trains on masks."""
        name, _, settings = text.partition(":")
        return Arm(name.strip(), tuple(settings.split()))

    @property
    def supervised(self) -> bool:
        return self.name.startswith(SUPERVISED)


@dataclass(frozen=True)
class Pack:
    """Where the images and labels of one domain lie."""

    images: Path
    weak: Path
    train_masks: Path
    test_masks: Path

    @staticmethod
    def at(folder: Path) -> Pack:
        pack = Pack(
            folder / "images",
            folder / "weak_train.json",
            folder / "instances_train.json",
            folder / "instances_test.json",
        )
        for path in (pack.images, pack.weak, pack.train_masks, pack.test_masks):
            if not path.exists():
                raise WesamError(f"{path}: expected a part of the pack, found nothing")
        return pack

    def corrupted(self, out: Path, name: str, severity: int, seed: int) -> Pack:
        """The same labels on corrupted copies of the images, made once."""
        images = out / f"images-{name}-{severity}"
        if not images.exists():
            corrupt_folder(self.images, images, name, severity, seed)
        return Pack(images, self.weak, self.train_masks, self.test_masks)


def compare(
    model: str,
    pack: Pack,
    out: Path,
    arms: list[Arm],
    seeds: list[int],
    settings: list[str],
    tile: int | None = None,
) -> list[dict[str, Any]]:
    """Runs what is not there yet and returns one row an arm, seed and prompt: mIoU and Dice in percent."""
    tests, _ = load_samples(pack.images, pack.test_masks)
    rows = _scored(out / "source.json", lambda: _score(model, None, tests, tile, "source"))
    for arm in arms:
        for seed in seeds:
            folder = out / arm.name.replace(" ", "-") / f"seed-{seed}"
            overrides = [*settings, *arm.settings, f"views.tile={'null' if tile is None else tile}"]
            config = make_config(
                {
                    "model": model,
                    "images": pack.images,
                    "labels": pack.train_masks if arm.supervised else pack.weak,
                    "out": folder,
                    "prompt": "box",
                    "seed": seed,
                    "objective": {"name": SUPERVISED if arm.supervised else "wesam"},
                    "previews": 0,
                    "trackers": [],
                },
                overrides=overrides,
            )
            if not (folder / "summary.json").exists():
                run(config, resume=(folder / "config.yaml").exists())

            def scored(adapter: Path = folder / "adapter", name: str = arm.name) -> list[dict[str, Any]]:
                return _score(model, adapter, tests, tile, name)

            rows += [{**row, "seed": seed} for row in _scored(folder / "scores.json", scored)]
    return rows


def _scored(path: Path, score: Any) -> list[dict[str, Any]]:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(score(), indent=1))
    rows: list[dict[str, Any]] = json.loads(path.read_text())
    return rows


def _score(model: str, adapter: Path | None, tests: list[Sample], tile: int | None, name: str) -> list[dict[str, Any]]:
    segmenter = load_segmenter(model, adapter)
    rows = []
    for prompt in PROMPTS:
        # Answers without a network come from the box, whatever the prompt: once is enough.
        trivial = adapter is None and prompt == "box"
        result = evaluate(segmenter, tests, prompt=prompt, tile=tile, compare_source=False, trivial=trivial)
        judged = {name: result.methods[result.judged]}
        judged |= {method: result.methods[method] for method in TRIVIAL_METHODS if method in result.methods}
        rows += [
            {"arm": arm, "prompt": prompt, "miou": 100 * score.miou, "dice": 100 * score.dice}
            for arm, score in judged.items()
        ]
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown: mean ± standard deviation over seeds of the mIoU, one row an arm."""
    arms = list(dict.fromkeys(row["arm"] for row in rows))
    lines = ["| | box mIoU | 5+5 points mIoU | seeds |", "| --- | --- | --- | --- |"]
    for arm in arms:
        cells = []
        for prompt in PROMPTS:
            values = [row["miou"] for row in rows if row["arm"] == arm and row["prompt"] == prompt]
            spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
            cells.append(f"{statistics.mean(values):.1f}{spread}" if values else "")
        seeds = len({row["seed"] for row in rows if row["arm"] == arm and "seed" in row})
        lines.append(f"| {arm} | {cells[0]} | {cells[1]} | {seeds or ''} |")
    return "\n".join(lines)


def main(
    model: Annotated[str, typer.Option()],
    pack: Annotated[Path, typer.Option(help="Folder of the pack.")],
    out: Annotated[Path, typer.Option(help="Folder of the runs; finished ones are kept.")],
    arm: Annotated[list[str] | None, typer.Option(help='"name" or "name: key=value ..."; repeatable.')] = None,
    seed: Annotated[list[int] | None, typer.Option(help="Repeatable.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="key=value for every arm; repeatable.")] = None,
    tile: Annotated[int | None, typer.Option(help="Side of tiles, in adaptation and scoring.")] = None,
    corruption: Annotated[str | None, typer.Option(help="Corrupt all images first.")] = None,
    severity: Annotated[int, typer.Option(min=1, max=5)] = 5,
) -> None:
    """Compares the source model with adapted ones on one pack and prints the table."""
    console = Console()
    chosen = Pack.at(pack)
    if corruption is not None:
        chosen = chosen.corrupted(out, corruption, severity, seed=0)
    arms = [Arm.parse(text) for text in arm or ["wesam", SUPERVISED]]
    rows = compare(model, chosen, out, arms, seed or [0, 1, 2], set_ or [], tile)
    console.print(table(rows), markup=False, soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)
