"""What makes masks larger before anything is learned? Three suspects for the drift of self-training, without a step.

    python -m studies.growth --model wesam-tiny --domain "medical: packs/medical" \\
        --domain "nuclei: packs/nuclei tile=176"

Mean log of the area of the source model's masks over their area on the plain view (0.1 is about 10 % larger), from
the training images' own labels:

* on the strong view: a student that learns to undo a loss of area there would grow masks everywhere;
* with noise on the features: an adapter that disturbs them would make the decoder fall back on its prior;
* with features moved to where the network predicts a higher IoU of its masks, as its loss in self-training asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import torch
import typer
from rich.console import Console

from studies.domain import Domain
from studies.pack import Pack
from wesam import markdown
from wesam.batches.batch import Batch
from wesam.batches.dataset import TargetDataset, ViewSettings, collate
from wesam.cli.console import reported
from wesam.errors import WesamError
from wesam.health.signals import area_drift
from wesam.labels.check import load_samples
from wesam.models.features import Features
from wesam.models.segmenter import Segmenter
from wesam.prompts.weak_labels import weak_labels
from wesam.types import Sample
from wesam.updates.load import load_segmenter

# Noise of each channel as a share of its spread over the feature map; steps as a share of the features' norm.
NOISE = 0.4
STEP = 0.1


@dataclass(frozen=True)
class Growth:
    """Means over the objects of one view.

    Attributes:
        strong, noise, confident: log area over that of the plain view's masks.
        rise: of the predicted IoU, by which `confident` was made.
    """

    strong: float
    noise: float
    confident: float
    rise: float


def measure(segmenter: Segmenter, samples: list[Sample], views: ViewSettings, seed: int = 0) -> Iterator[Growth]:
    """One result for each view (image or tile) that has objects; the segmenter's parameters must not need gradients."""
    dataset = TargetDataset(samples, segmenter, views, seed)
    for index in range(len(dataset)):
        batch = collate([dataset.upright(index)])
        if len(batch.prompts):
            yield _measure_view(segmenter, batch, torch.Generator().manual_seed(index))


def _measure_view(segmenter: Segmenter, batch: Batch, generator: torch.Generator) -> Growth:
    with torch.no_grad():
        encoded, strong = segmenter.encode(batch.weak), segmenter.encode(batch.strong)
    features = encoded.pooled
    moved = features.clone().requires_grad_()
    plain = segmenter.decode(replace(encoded, pooled=moved), batch.prompts, batch.image_index)
    (uphill,) = torch.autograd.grad(plain.iou.mean(), moved)
    noise = torch.randn(features.shape, generator=generator) * features.std((2, 3), keepdim=True)
    valid = batch.valid.expand(len(batch.prompts), -1, -1)

    def answer(changed: Features) -> tuple[float, float]:
        with torch.no_grad():
            found = segmenter.decode(changed, batch.prompts, batch.image_index)
        drift = area_drift(found.logits > 0, plain.logits > 0, valid)
        return float(drift.mean()), float((found.iou - plain.iou.detach()).mean())

    confident, rise = answer(
        replace(encoded, pooled=features + STEP * features.norm() * uphill / uphill.norm().clamp_min(1e-12))
    )
    return Growth(answer(strong)[0], answer(replace(encoded, pooled=features + NOISE * noise))[0], confident, rise)


def table(found: dict[str, list[Growth]]) -> str:
    """Markdown: mean ± standard error over views (of which one has none), a domain a row."""
    columns = ["domain", "strong view", f"noise of {NOISE:g}", "higher predicted IoU", "its rise", "views"]
    rows = []
    for name, views in found.items():
        values = [[view.strong, view.noise, view.confident, view.rise] for view in views]
        cells = [f"{mean:+.3f}" for mean in np.mean(values, 0)]
        if len(values) > 1:
            errors = np.std(values, 0, ddof=1) / np.sqrt(len(values))
            cells = [f"{cell} ± {error:.3f}" for cell, error in zip(cells, errors, strict=True)]
        rows.append([name, *cells, str(len(views))])
    return markdown.table(columns, rows)


def main(
    model: Annotated[str, typer.Option()],
    domain: Annotated[list[str], typer.Option(help='"name: folder [tile=N]"; repeatable.')],
    images: Annotated[int, typer.Option(min=1, help="Training images of each domain.")] = 24,
) -> None:
    """Prints how much larger masks are under each suspect."""
    segmenter = load_segmenter(model, device="cpu").requires_grad_(False)
    found = {}
    for text in domain:
        one = Domain.parse(text)
        if one.corruption is not None:
            raise WesamError(f"--domain {one.name}: expected images as they are, got corruption={one.corruption}")
        pack = Pack.at(one.pack)
        samples, _ = load_samples(pack.images, pack.weak)
        weak = [weak_labels(sample, "box", 0) for sample in samples[:images]]
        found[one.name] = list(measure(segmenter, weak, ViewSettings(tile=one.tile)))
    Console().print(table(found), markup=False, soft_wrap=True)


if __name__ == "__main__":
    with reported():
        typer.run(main)
