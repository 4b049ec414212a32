"""What a run adapts to where nobody has labelled anything."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection

from accelerate import Accelerator

from wesam.automatic.cache import CandidateCache
from wesam.automatic.generate import automatic_prompts
from wesam.automatic.settings import AutomaticSettings
from wesam.errors import WesamError
from wesam.labels.check import load_samples
from wesam.labels.unlabelled import load_unlabelled
from wesam.models.segmenter import Segmenter
from wesam.training.config import RunConfig
from wesam.training.run_folder import RunFolder
from wesam.types import Sample

_TELL_EVERY = 100  # images: minutes apart, where asking takes a second or more


def automatic_labels(
    config: RunConfig,
    accelerator: Accelerator,
    segmenter: Segmenter,
    folder: RunFolder,
    left_out: Collection[str],
    tell: Callable[[str], None],
) -> list[Sample]:
    """The prompts in the run's `prompts.json`, which the source model makes at the run's beginning.

    They are read from the file even when they were made just now: this run, a resumed one, and one that is given the
    file as its labels see the same. With several processes each asks about its share of the images, and a killed run
    goes on where it was.

    Args:
        left_out: ids of images that are not adapted to: those kept for validation.
        tell: is told what was found.

    Raises:
        WesamError: if there is no usable image, or no mask survives.
    """
    if not folder.prompts.exists():
        samples, problems = load_unlabelled(config.images, config.reading)
        samples = [sample for sample in samples if sample.id not in left_out]
        if not samples:
            raise WesamError(f"{config.images}: expected images beside those of val_labels to adapt to, found none")
        for problem in problems:
            tell(f"{'skipped' if problem.severity == 'skip' else problem.severity}: {problem}")
        tell(f"no labels: the source model is prompted with a grid of points on {len(samples)} images")
        automatic = config.automatic or AutomaticSettings()
        tile, overlap = config.views.tile, config.views.overlap
        with segmenter.anchor():
            cache = CandidateCache(folder.automatic, segmenter, automatic.grid, tile, overlap)
            share = samples[accelerator.process_index :: accelerator.num_processes]
            for number, sample in enumerate(share, start=1):
                cache.get(sample)
                if number % _TELL_EVERY == 0:
                    tell(f"prompts found for {number} of {len(share)} images")
            accelerator.wait_for_everyone()
            if accelerator.is_main_process:
                found = automatic_prompts(segmenter, samples, cache, automatic)
                tell(f"automatic prompts: {found}")
                found.write(folder.prompts)
                shutil.rmtree(folder.automatic)
        accelerator.wait_for_everyone()
    return load_samples(config.images, folder.prompts, reading=config.reading)[0]
