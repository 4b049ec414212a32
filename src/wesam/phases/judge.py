"""What a finished run is worth: pictures, and scores where there are masks to score with."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from wesam.evaluation.evaluate import DEFAULT_PROMPTS, evaluate
from wesam.evaluation.previews import pick_samples, write_previews, write_scored_previews
from wesam.evaluation.report import write_report
from wesam.evaluation.scores import Evaluation
from wesam.models.segmenter import Segmenter
from wesam.phases.lessons import prompt_of_truth
from wesam.training.config import RunConfig
from wesam.training.run_folder import RunFolder
from wesam.training.watch import Selection
from wesam.types import Sample

_TELL_EVERY = 5.0  # seconds


def judge(
    config: RunConfig,
    segmenter: Segmenter,
    prompted: Sequence[Sample],
    validation: Sequence[Sample] | None,
    folder: RunFolder,
    selection: Selection,
    tell: Callable[[str], None],
) -> Evaluation | None:
    """Previews of the run; with validation masks also scores and the report."""
    tile, overlap = config.views.tile, config.views.overlap
    if validation is None:
        shown = pick_samples(prompted, config.previews)
        write_previews(segmenter, shown, folder.previews, tile=tile, overlap=overlap)
        return None
    tell(f"scoring source and adapted model on {len(validation)} images with masks")
    own = prompt_of_truth(config)
    prompts = (own, *(prompt for prompt in DEFAULT_PROMPTS if prompt != own))
    evaluation = evaluate(
        segmenter,
        validation,
        prompts=prompts,
        seed=config.seed,
        tile=tile,
        overlap=overlap,
        on_image=_counted(len(validation), tell),
    )
    evaluation.write(folder.root)
    _show(config, segmenter, validation, evaluation, folder, selection)
    return evaluation


def _show(
    config: RunConfig,
    segmenter: Segmenter,
    validation: Sequence[Sample],
    evaluation: Evaluation,
    folder: RunFolder,
    selection: Selection,
) -> None:
    """Pictures of scored images, and the report."""
    pictures = write_scored_previews(
        segmenter,
        pick_samples(validation, config.previews, evaluation),
        folder.previews,
        prompts=(prompt_of_truth(config), "click"),
        seed=config.seed,
        tile=config.views.tile,
        overlap=config.views.overlap,
    )
    write_report(
        folder.root / "report.html",
        evaluation,
        selection=selection.reason,
        health=selection,
        settings=config.model_dump(mode="json"),
        previews=pictures,
    )


def _counted(total: int, tell: Callable[[str], None]) -> Callable[[object], None]:
    """Called once an image, tells every few seconds how many are scored."""
    last = time.monotonic()
    done = 0

    def count(_: object) -> None:
        nonlocal last, done
        done += 1
        if time.monotonic() - last >= _TELL_EVERY:
            last = time.monotonic()
            tell(f"scored {done} of {total} images")

    return count
