"""What the label says about the mask, one constraint at a time: which of them help, for which labels?

    python -m studies.constraints --model wesam-tiny --out runs/constraints --seed 0 --seed 1 \\
      --domain "medical: packs/medical" --domain "nuclei: packs/nuclei tile=176" \\
      --domain "fog: packs/natural corruption=fog severity=5" --set steps=200 --set learning_rate=5e-4

Each row is the default configuration with one change, on labels simulated from the masks of the training images (boxes,
5 + 5 points, 1 point, outlines of at most 8 corners) or on prompts that the source model finds by itself. A cell is the
mIoU on the test images against the source model's. Finished runs are kept: the same command goes on where it was
stopped, and commands with different domains may run side by side.
"""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from studies.arms import AUTOMATIC, Arm, Bench, Row
from studies.domain import DOMAIN_HELP, Domain
from wesam import markdown
from wesam.cli.console import reported
from wesam.prompts.weak_labels import PromptKind

TEST_PROMPTS: tuple[PromptKind, ...] = ("box", "point")

_LABELS: dict[str, tuple[str, ...]] = {
    "box": ("simulate.kind=box",),
    "point": ("simulate.kind=point",),
    "1 point": ("simulate.kind=point", "simulate.positives=1", "simulate.negatives=0"),
    "mask": ("simulate.kind=mask",),
    AUTOMATIC: (),
}
_NO_PROJECTION = ("without projection", "method.box_projection_weight=0")
_POINTS = ("with point loss", "method.point_weight=1")
# Only what a label can feel: clicks alone have no box to project on.
_CHANGES: dict[str, tuple[tuple[str, str], ...]] = {
    "box": (_NO_PROJECTION,),
    "point": (_POINTS,),
    "1 point": (_POINTS,),
    "mask": (_NO_PROJECTION,),
    AUTOMATIC: (_NO_PROJECTION,),
}
ARMS: dict[str, tuple[Arm, ...]] = {
    label: (
        Arm(label, simulation),
        *(Arm(f"{label} {name}", (*simulation, setting)) for name, setting in _CHANGES[label]),
    )
    for label, simulation in _LABELS.items()
}


def ablate(domain: Domain, bench: Bench, arms: list[Arm], seeds: list[int]) -> list[Row]:
    """Runs what is not there yet.

    Returns:
        One row an arm, seed and test prompt, with "domain" and "gain": mIoU in percent, less the source model's.
    """
    source = {row["prompt"]: row["miou"] for row in bench.source(TEST_PROMPTS) if row["arm"] == "source"}
    return [
        {**row, "domain": domain.name, "gain": row["miou"] - source[row["prompt"]]}
        for arm in arms
        for seed in seeds
        for row in bench.adapted(arm, seed, TEST_PROMPTS)
    ]


def table(rows: list[Row], prompt: PromptKind) -> str:
    """Markdown: an arm a row, a domain a column, mean ± standard deviation over seeds of the gain with one test prompt.

    The last column is what the arm's change adds: gain less that of the same labels without the change, mean over the
    seeds of a domain that both have, then over domains, and on how many of these it is above 0 as it is printed.
    """
    asked = [row for row in rows if row["prompt"] == prompt]
    domains = list(dict.fromkeys(row["domain"] for row in asked))
    unchanged = {arm.name: arms[0].name for arms in ARMS.values() for arm in arms[1:]}
    lines = []
    for arm in dict.fromkeys(row["arm"] for row in asked):
        own = [_gains(asked, arm, domain) for domain in domains]
        base = [_gains(asked, unchanged.get(arm), domain) for domain in domains]
        added = [
            statistics.mean(gains[seed] - without[seed] for seed in gains.keys() & without.keys())
            for gains, without in zip(own, base, strict=True)
            if gains.keys() & without.keys()
        ]
        up = sum(round(value, 2) > 0 for value in added)
        change = f"{statistics.mean(added):+.2f} ({up} of {len(added)} up)" if added else ""
        lines.append([arm, *(markdown.difference(list(gains.values())) for gains in own), change])
    return markdown.table(["labels, change", *domains, "mean change"], lines)


def _gains(rows: list[Row], arm: str | None, domain: str) -> dict[int, float]:
    """Of each seed."""
    return {row["seed"]: row["gain"] for row in rows if (row["arm"], row["domain"]) == (arm, domain)}


def main(
    model: Annotated[str, typer.Option()],
    out: Annotated[Path, typer.Option(help="Folder of the runs; finished ones are kept.")],
    domain: Annotated[list[str], typer.Option(help=DOMAIN_HELP)],
    label: Annotated[
        list[str] | None, typer.Option(help=f"Of {', '.join(ARMS)}; repeatable; all if not given.")
    ] = None,
    seed: Annotated[list[int] | None, typer.Option(help="Repeatable.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="key=value for every run; repeatable.")] = None,
) -> None:
    """Adapts with each constraint, and prints what it gains with boxes and with points."""
    unknown = sorted(set(label or ()) - set(ARMS))
    if unknown:
        raise typer.BadParameter(f"--label: expected one of {', '.join(ARMS)}, got {unknown[0]}")
    arms = [arm for name in label or ARMS for arm in ARMS[name]]
    rows: list[Row] = []
    for text in domain:
        one = Domain.parse(text)
        rows += ablate(one, Bench.on(one, model, out, set_ or ()), arms, seed or [0, 1, 2])
    for prompt in TEST_PROMPTS:
        Console().print(f"\nasked with {prompt}:\n\n{table(rows, prompt)}", markup=False, soft_wrap=True)


if __name__ == "__main__":
    with reported():
        typer.run(main)
