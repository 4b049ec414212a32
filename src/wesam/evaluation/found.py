"""Masks of objects that nobody pointed at: a grid of points, filters, non-maximum suppression (see `automatic`)."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from wesam.automatic.cache import CandidateCache
from wesam.automatic.generate import AutomaticPrompts, automatic_prompts
from wesam.automatic.settings import AutomaticSettings
from wesam.evaluation.predict import DEFAULT_OVERLAP
from wesam.evaluation.predictions import prediction_folder
from wesam.frames.tiling import check_tiles
from wesam.labels.images import read_sample
from wesam.models.segmenter import Segmenter
from wesam.types import Sample


def find_objects(
    segmenter: Segmenter,
    samples: Sequence[Sample],
    settings: AutomaticSettings | None = None,
    *,
    tile: int | None = None,
    overlap: int = DEFAULT_OVERLAP,
    on_image: Callable[[Sample], None] | None = None,
) -> AutomaticPrompts:
    """What a model finds in images without any label. Thresholds are quantiles over all of them.

    Args:
        samples: images; instances that they have are not used.
        settings: the grid and the thresholds; None for the defaults.
        tile, overlap: as for `predict.predict_image`.
        on_image: called after each image, for a progress display.

    Raises:
        NothingFoundError: if no mask of any image survives.
        WesamError: if an image cannot be read.
    """
    settings = settings or AutomaticSettings()
    with tempfile.TemporaryDirectory(prefix="wesam-") as scratch:
        cache = CandidateCache(Path(scratch), segmenter, settings.grid, tile, overlap)
        return automatic_prompts(segmenter, samples, cache, settings, on_image=on_image)


def predict_found(
    segmenter: Segmenter,
    samples: Sequence[Sample],
    out: str | Path,
    settings: AutomaticSettings | None = None,
    *,
    tile: int | None = None,
    overlap: int = DEFAULT_OVERLAP,
    overlays: bool = True,
    overwrite: bool = False,
    on_image: Callable[[Sample], None] | None = None,
) -> tuple[Path, AutomaticPrompts]:
    """Segments what the model finds itself, and writes it as `predict.predict` does.

    Args:
        samples, settings, tile, overlap, on_image: as for `find_objects`.
        out, overlays, overwrite: as for `predict.predict`.

    Returns:
        The path of the COCO JSON, and what was found.

    Raises:
        NothingFoundError: if no mask of any image survives.
        WesamError: if an image cannot be read, or the folder cannot be written or holds an earlier prediction.
    """
    check_tiles(tile, overlap)
    bare = [sample.with_instances(()) for sample in samples]
    with prediction_folder(Path(out), bare, overlays, overwrite) as folder:
        found = find_objects(segmenter, bare, settings, tile=tile, overlap=overlap, on_image=on_image)
        for sample in found.samples:
            masks = [instance.rle for instance in sample.instances if instance.rle is not None]
            scores = [found.scores[instance.id][0] for instance in sample.instances]
            folder.add(sample, read_sample(sample), masks, scores)
    return folder.results, found
