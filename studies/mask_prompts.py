"""Which way of giving a coarse mask to SAM works best: the table behind the defaults of `prompts.coarse_mask`.

    python -m studies.mask_prompts --model wesam-tiny --pack PACK --limit 20

Outlines of at most 8 corners are simulated from the masks of the pack's test images, and the model is asked with each
outline in every way of the table. "The outline itself" is the answer that needs no network.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console

from studies.pack import Pack
from wesam import markdown
from wesam.cli.console import reported
from wesam.evaluation.ground_truth import scorable, simulated_prompts, true_masks
from wesam.evaluation.metrics import mask_overlap, mean_over_images
from wesam.evaluation.predict import DEFAULT_OVERLAP, decode_instances
from wesam.frames.geometry import Geometry
from wesam.frames.tiling import instance_extents, plan_crops
from wesam.labels.check import load_samples
from wesam.labels.images import read_sample
from wesam.masks import Rle
from wesam.models.inference import encode_view, inference
from wesam.models.segmenter import Segmenter
from wesam.prompts.coarse_mask import MaskFeeding
from wesam.types import Instance, Sample
from wesam.updates.load import load_segmenter

OUTLINE = "the outline itself"
FEEDINGS = {
    "box": MaskFeeding(logits=False),
    "centre": MaskFeeding(logits=False, box=False, centre=True),
    "box + centre": MaskFeeding(logits=False, centre=True),
    **{f"mask, ±{magnitude}": MaskFeeding(box=False, magnitude=magnitude) for magnitude in (1, 3, 6, 10, 20)},
    "mask, ±6, soft 1": MaskFeeding(box=False, softness=1),
    "mask, ±6, soft 2": MaskFeeding(box=False, softness=2),
    "mask, ±6 + centre": MaskFeeding(box=False, centre=True),
    **{f"mask, ±{magnitude} + box": MaskFeeding(magnitude=magnitude) for magnitude in (1, 3, 6, 10)},
    "mask, ±6, soft 1 + box": MaskFeeding(softness=1),
    "mask, ±6 + box + centre": MaskFeeding(centre=True),
}
# Below so many cells of the mask grid an object counts as tiny.
TINY_CELLS = 4.0

# An object's IoU, and whether it is tiny.
Scored = tuple[float, bool]


def compare_feedings(
    segmenter: Segmenter,
    samples: Sequence[Sample],
    feedings: dict[str, MaskFeeding],
    tile: int | None = None,
    overlap: int = DEFAULT_OVERLAP,
    seed: int = 0,
) -> dict[str, list[list[Scored]]]:
    """Asks a model with the outlines of all objects, in several ways.

    Args:
        segmenter: any.
        samples: images whose instances all carry masks.
        feedings: the ways, by name.
        tile, overlap: as in `evaluation.predict.predict_image`.
        seed: of the simulation.

    Returns:
        For each way, and for "the outline itself": one list an image, one entry an object.
    """
    scores: dict[str, list[list[Scored]]] = {name: [] for name in (OUTLINE, *feedings)}
    for sample in map(scorable, samples):
        if not sample.instances:
            continue
        image, truth = read_sample(sample), true_masks(sample)
        outlines = simulated_prompts(sample, "mask", seed)
        found: dict[str, list[Scored | None]] = {name: [None] * len(outlines) for name in scores}
        for crop, indices in plan_crops(sample.width, sample.height, instance_extents(outlines), tile, overlap):
            geometry = Geometry(crop, segmenter.input)
            members = [outlines[index] for index in indices]
            cell = max(geometry.cropped) / segmenter.mask_grid
            for name, answers in _answers(segmenter, image, members, geometry, feedings):
                for index, answer in zip(indices, answers, strict=True):
                    overlap_ = mask_overlap(answer, truth[index])
                    found[name][index] = (overlap_.iou, overlap_.true < TINY_CELLS * cell**2)
        for name, objects in found.items():
            scores[name].append([scored for scored in objects if scored is not None])
    return scores


def _answers(
    segmenter: Segmenter,
    image: NDArray[np.uint8],
    outlines: list[Instance],
    geometry: Geometry,
    feedings: dict[str, MaskFeeding],
) -> Iterable[tuple[str, list[Rle]]]:
    yield OUTLINE, [outline.rle for outline in outlines if outline.rle is not None]
    with inference(segmenter):
        features = encode_view(segmenter, image, geometry)
        for name, feeding in feedings.items():
            predictions = decode_instances(segmenter, features, outlines, geometry, image.shape[:2], feeding)
            yield name, [prediction.rle for prediction in predictions]


def table(scores: dict[str, list[list[Scored]]]) -> str:
    """Markdown: mIoU of all and of tiny objects, one row a way."""
    first = next(iter(scores.values()))
    tiny = sum(small for image in first for _, small in image)
    columns = ("outline given as", "mIoU", f"mIoU of {tiny} objects below {TINY_CELLS:g} cells")
    lines = []
    for name, images in scores.items():
        every = mean_over_images([[iou for iou, _ in image] for image in images])
        small = mean_over_images([[iou for iou, tiny in image if tiny] for image in images])
        lines.append([name, f"{100 * every:.1f}", "" if np.isnan(small) else f"{100 * small:.1f}"])
    return markdown.table(columns, lines)


def main(
    model: Annotated[str, typer.Option()],
    pack: Annotated[Path, typer.Option(help="Folder of the pack.")],
    tile: Annotated[int | None, typer.Option(help="Side of tiles.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many images.")] = None,
    seed: Annotated[int, typer.Option(help="Of the simulation.")] = 0,
) -> None:
    """Scores every way of giving coarse masks to a model and prints the table."""
    chosen = Pack.at(pack)
    samples, _ = load_samples(chosen.images, chosen.test_masks)
    scores = compare_feedings(load_segmenter(model), samples[:limit], FEEDINGS, tile, seed=seed)
    Console().print(table(scores), markup=False, soft_wrap=True)


if __name__ == "__main__":
    with reported():
        typer.run(main)
