"""How many automatic prompts survive, and how many of them are right: a table over image sets and thresholds.

    python -m studies.automatic --model wesam-tiny --out runs/automatic --pack nuclei=PACK --family source

A pack is a folder with `images/` and `instances_test.json` (see `studies.pack`); a family is generated. Masks are
only compared with. What the model answered is kept in --out, so another quantile costs no decoding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from wesam import markdown
from wesam.automatic.cache import CandidateCache
from wesam.automatic.select import Thresholds, choose_thresholds, select_masks
from wesam.automatic.settings import AutomaticSettings, GridSettings
from wesam.cli.console import reported
from wesam.errors import WesamError
from wesam.evaluation.automatic import PromptScore, score_prompts
from wesam.evaluation.ground_truth import scorable, true_masks
from wesam.generated.coco import write_coco
from wesam.labels.check import load_samples
from wesam.models.segmenter import Segmenter
from wesam.types import Sample
from wesam.updates.load import load_segmenter

# Kirillov et al. 2023, arXiv 2304.02643, and the official code's defaults.
SAM_THRESHOLDS = Thresholds(iou=0.88, stability=0.95)
QUANTILES = (0.5, 0.7, 0.75, 0.8, 0.9)


@dataclass(frozen=True)
class Row:
    """One image set under one choice of thresholds."""

    images: str
    choice: str
    image_count: int
    candidates: int
    thresholds: Thresholds
    score: PromptScore


def measure(
    segmenter: Segmenter, name: str, samples: Sequence[Sample], cache: CandidateCache, quantiles: Sequence[float]
) -> Iterator[Row]:
    """One row a quantile (of predicted IoU and stability alike), and one with SAM's fixed thresholds."""
    choices = {
        f"{quantile:g}": AutomaticSettings(iou_quantile=quantile, stability_quantile=quantile) for quantile in quantiles
    }
    fixed = {"iou_threshold": SAM_THRESHOLDS.iou, "stability_threshold": SAM_THRESHOLDS.stability}
    choices["SAM's"] = AutomaticSettings.model_validate(fixed)
    truths = [scorable(sample) for sample in samples]
    candidates = sum(len(cache.get(sample)) for sample in samples)
    for choice, settings in choices.items():
        thresholds = choose_thresholds((cache.get(sample) for sample in samples), settings)
        scores = []
        for truth in truths:
            size = (truth.height, truth.width)
            masks = select_masks(cache.get(truth), thresholds, settings, segmenter, size)
            scores.append(score_prompts([mask.rle for mask in masks], true_masks(truth)))
        yield Row(name, choice, len(samples), candidates, thresholds, PromptScore.total(scores))


def table(rows: Sequence[Row]) -> str:
    """Markdown."""
    columns = ["images", "quantile", "predicted IoU from", "stability from", "candidates an image", "prompts an image"]
    columns += ["objects an image", "precision at IoU 0.5 (%)", "recall at IoU 0.5 (%)"]
    lines = []
    for row in rows:
        score, count = row.score, row.image_count
        cells = [f"{row.thresholds.iou:.3f}", f"{row.thresholds.stability:.3f}", f"{row.candidates / count:.0f}"]
        cells += [f"{score.prompts / count:.1f}", f"{score.objects / count:.1f}"]
        cells += [f"{100 * share:.1f}" if share == share else "" for share in (score.precision, score.recall)]
        lines.append([row.images, row.choice, *cells])
    return markdown.table(columns, lines)


def image_sets(packs: Mapping[str, Path], families: Sequence[str], count: int, out: Path) -> dict[str, list[Sample]]:
    """The first `count` test images of each pack and generated family, with their masks.

    Raises:
        WesamError: if a pack or family cannot be had.
    """
    sets = {}
    for family in families:
        folder = out / "scenes" / f"{family}-{count}"
        if not (folder / "instances_test.json").exists():
            write_coco(family, folder, count, split="test")
        sets[f"{family} scenes"] = folder
    sets.update(packs)
    return {
        name: load_samples(folder / "images", folder / "instances_test.json")[0][:count]
        for name, folder in sets.items()
    }


def main(
    model: Annotated[str, typer.Option()],
    out: Annotated[Path, typer.Option(help="Folder of what the model answered, and of generated scenes.")],
    adapter: Annotated[Path | None, typer.Option()] = None,
    pack: Annotated[list[str] | None, typer.Option(help="NAME=PATH; repeatable.")] = None,
    family: Annotated[list[str] | None, typer.Option(help="Generated images; repeatable.")] = None,
    count: Annotated[int, typer.Option(min=1, help="Images of each set.")] = 50,
    quantile: Annotated[list[float] | None, typer.Option(help="Repeatable.")] = None,
    points_per_side: Annotated[int, typer.Option()] = 32,
    tile: Annotated[int | None, typer.Option(help="Side of tiles in pixels.")] = None,
) -> None:
    """Prints the table, a few rows for each image set."""
    packs = {}
    for text in pack or []:
        name, separator, path = text.partition("=")
        if not separator:
            raise WesamError(f"--pack: expected NAME=PATH, got {text!r}")
        packs[name] = Path(path)
    segmenter = load_segmenter(model, adapter)
    cache = CandidateCache(out / "cache", segmenter, GridSettings(points_per_side=points_per_side), tile)
    rows: list[Row] = []
    for name, samples in image_sets(packs, family or [], count, out).items():
        rows += measure(segmenter, name, samples, cache, quantile or QUANTILES)
    Console(width=200).print(table(rows), markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    with reported():
        typer.run(main)
