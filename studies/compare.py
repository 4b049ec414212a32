"""Source, adapted and supervised model on each image set, over seeds: the tables a claim needs.

    python -m studies.compare --model wesam-tiny --out runs/compare --seed 0 --seed 1 --seed 2 \\
      --domain "nuclei: packs/nuclei tile=176" --domain "fog: packs/natural corruption=fog severity=5"
    python -m studies.compare ... --arm wesam --arm "no anchor: method.anchor_weight=0"

What the labels teach, from other labels than the pack's boxes (`prompts.simulated_set` lists what can be simulated):

    python -m studies.compare ... --arm wesam --arm "jitter 10: simulate.box_jitter=0.1" \\
      --arm "wrong 30: simulate.wrong=0.3" --arm "missing 30: simulate.missing=0.3"
    python -m studies.compare ... --set simulate.kind=point --set simulate.positives=1 \\
      --set simulate.negatives=0 --arm "prompt alone" --arm "points: method.point_weight=1"

A pack is a folder with `images/`, `weak_train.json` (boxes alone), `instances_train.json` (masks of the same images,
for the supervised arm and for simulated labels) and `instances_test.json` (masks, for scoring only). Every arm sees the
same images and steps. Finished runs are kept: the same command goes on where it was stopped.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from studies.arms import SUPERVISED, Arm, Bench, Row
from studies.domain import DOMAIN_HELP, Domain
from wesam import markdown
from wesam.cli.console import reported
from wesam.prompts.weak_labels import PromptKind

PROMPTS: tuple[PromptKind, ...] = ("box", "point")


def compare(bench: Bench, arms: list[Arm], seeds: list[int]) -> list[Row]:
    """Runs what is not there yet and returns one row an arm, seed and prompt: mIoU and Dice in percent."""
    rows = bench.source(PROMPTS)
    for arm in arms:
        for seed in seeds:
            rows += bench.adapted(arm, seed, PROMPTS)
    return rows


def table(rows: list[Row]) -> str:
    """Markdown: mean ± standard deviation over seeds of the mIoU, one row an arm."""
    lines = []
    for arm in dict.fromkeys(row["arm"] for row in rows):
        own = [row for row in rows if row["arm"] == arm]
        box, points = (markdown.mean([row["miou"] for row in own if row["prompt"] == prompt]) for prompt in PROMPTS)
        lines.append([arm, box, points, str(len({row["seed"] for row in own if "seed" in row}) or "")])
    return markdown.table(["arm", "box mIoU", "5+5 points mIoU", "seeds"], lines)


def main(
    model: Annotated[str, typer.Option()],
    domain: Annotated[list[str], typer.Option(help=DOMAIN_HELP)],
    out: Annotated[Path, typer.Option(help="Folder of the runs; finished ones are kept.")],
    arm: Annotated[list[str] | None, typer.Option(help='"name" or "name: key=value ..."; repeatable.')] = None,
    seed: Annotated[list[int] | None, typer.Option(help="Repeatable.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="key=value for every arm; repeatable.")] = None,
) -> None:
    """Compares the source model with adapted ones and prints a table for each domain."""
    arms = [Arm.parse(text) for text in arm or ["wesam", SUPERVISED]]
    for one in map(Domain.parse, domain):
        rows = compare(Bench.on(one, model, out, set_ or ()), arms, seed or [0, 1, 2])
        Console().print(f"\n{one.name}:\n\n{table(rows)}", markup=False, soft_wrap=True)


if __name__ == "__main__":
    with reported():
        typer.run(main)
