"""Train with one kind of prompt, test with another: the paper's cross-prompt table (WeSAM, arXiv 2312.03502, Table 8).

    python -m studies.cross_prompt --model wesam-tiny --out runs/cross --seed 0 --seed 1 \\
      --domain "medical: packs/medical" --domain "nuclei: packs/nuclei tile=176" --set steps=200

Rows are what the model was adapted from: boxes, 5 + 5 points and outlines simulated from the masks of the pack's
training images, and nothing at all (prompts that the source model finds on the same images). Columns are what it is
asked with. Finished runs are kept: the same command goes on where it was stopped.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from studies.arms import AUTOMATIC, Arm, Bench, Row
from studies.domain import DOMAIN_HELP, Domain
from wesam import markdown
from wesam.cli.console import reported
from wesam.prompts.weak_labels import PromptKind

TEST_PROMPTS: tuple[PromptKind, ...] = ("box", "point", "mask")
ARMS = {
    "box": Arm("box", ("simulate.kind=box",)),
    "point": Arm("point", ("simulate.kind=point",)),
    "mask": Arm("mask", ("simulate.kind=mask",)),
    "none": Arm(AUTOMATIC),
}


def cross_prompt(bench: Bench, train: list[str], seeds: list[int]) -> list[Row]:
    """Runs what is not there yet; one row a training prompt, seed and test prompt, and those of the source model."""
    rows = [row for row in bench.source(TEST_PROMPTS) if row["arm"] == "source"]
    for name in train:
        for seed in seeds:
            rows += [{**row, "arm": name} for row in bench.adapted(ARMS[name], seed, TEST_PROMPTS)]
    return rows


def table(rows: list[Row]) -> str:
    """Markdown: mean ± standard deviation over seeds of the mIoU, one row a training prompt."""
    lines = []
    for arm in dict.fromkeys(row["arm"] for row in rows):
        own = [row for row in rows if row["arm"] == arm]
        cells = [markdown.mean([row["miou"] for row in own if row["prompt"] == prompt]) for prompt in TEST_PROMPTS]
        lines.append(["(source model)" if arm == "source" else arm, *cells])
    return markdown.table(["adapted from", *TEST_PROMPTS], lines)


def main(
    model: Annotated[str, typer.Option()],
    domain: Annotated[list[str], typer.Option(help=DOMAIN_HELP)],
    out: Annotated[Path, typer.Option(help="Folder of the runs; finished ones are kept.")],
    train: Annotated[
        list[str] | None, typer.Option(help=f"Of {', '.join(ARMS)}; repeatable; all if not given.")
    ] = None,
    seed: Annotated[list[int] | None, typer.Option(help="Repeatable.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="key=value for every run; repeatable.")] = None,
) -> None:
    """Adapts from each kind of prompt, tests with each, and prints a table for each domain."""
    unknown = sorted(set(train or ()) - set(ARMS))
    if unknown:
        raise typer.BadParameter(f"--train: expected one of {', '.join(ARMS)}, got {unknown[0]}")
    for one in map(Domain.parse, domain):
        rows = cross_prompt(Bench.on(one, model, out, set_ or ()), train or list(ARMS), seed or [0, 1, 2])
        Console().print(f"\n{one.name}:\n\n{table(rows)}", markup=False, soft_wrap=True)


if __name__ == "__main__":
    with reported():
        typer.run(main)
