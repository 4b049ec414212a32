"""The main job from end to end: read the labels, set up, train, judge the result, write it all down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wesam.evaluation.scores import Evaluation
from wesam.phases.given import read_given
from wesam.phases.judge import judge
from wesam.phases.lessons import lessons_found, lessons_of_labels
from wesam.phases.setup import set_up
from wesam.phases.summary import summarise
from wesam.training.config import RunConfig, make_config
from wesam.training.input_record import keep_same_inputs
from wesam.training.loop import train
from wesam.training.progress import Progress


@dataclass(frozen=True)
class AdaptResult:
    """A finished run.

    Attributes:
        folder: the run folder.
        adapter: the adapter in it: a peft folder for `load_segmenter(..., adapter=...)`.
        summary: what `summary.json` holds.
        evaluation: source and adapted on the validation masks, where there were any.
    """

    folder: Path
    adapter: Path
    summary: dict[str, Any]
    evaluation: Evaluation | None

    def document(self) -> dict[str, Any]:
        """For machines: where the results are, `summary.json`, and `evaluation.json` without its rows."""
        scores = None
        if self.evaluation is not None:
            scores = self.evaluation.model_dump(mode="json", exclude={"prompts": {"__all__": {"images"}}})
        return {"run": self.folder, "adapter": self.adapter, "summary": self.summary, "evaluation": scores}


def adapt(
    model: str | Path,
    images: str | Path,
    labels: str | Path | None,
    out: str | Path,
    *,
    preset: str | None = None,
    resume: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
    **settings: Any,
) -> AdaptResult:
    """Adapts a model to a folder of images from weak labels.

    Args:
        model: hub id, Transformers folder, publisher's `.pth` or `.pt`, or a bundled model's name.
        images: folder of images.
        labels: file or folder in any format of `labels.formats`; boxes alone are enough. None
            where there are none: the source model then finds the prompts, which are noisier than labels.
        out: run folder, made here.
        preset: "paper" for the paper's settings; None or "default" for ours.
        resume: go on with the run in `out`.
        on_progress: called every `log_every` steps, and in between where they are slow.
        settings: further fields of `RunConfig`, such as ``steps=1000`` or ``method={"teacher": "shared"}``.

    Raises:
        WesamError: if a setting, the labels or the model cannot be used; nothing was done then.
    """
    values = {"model": str(model), "images": images, "labels": labels, "out": out, **settings}
    return run(make_config(values, preset=preset), resume=resume, on_progress=on_progress)


def run(
    config: RunConfig,
    resume: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
    on_message: Callable[[str], None] | None = None,
) -> AdaptResult:
    """`adapt` from a whole config. With several processes all call it; the first one writes.

    Raises:
        WesamError: see `adapt`.
    """
    tell = on_message or (lambda _: None)
    given = read_given(config, tell)
    setup = set_up(config, given, tell)
    lessons = lessons_of_labels(config, setup.method, given, tell)
    folder, accelerator = setup.folder, setup.accelerator
    # Only now, when all that was given has proved usable, is anything written.
    with folder.writing():
        if accelerator.is_main_process:
            folder.open(config, resume)
        accelerator.wait_for_everyone()
        if given.labelled is None:
            lessons = lessons_found(config, setup, given, tell)
        if accelerator.is_main_process:
            keep_same_inputs(folder.inputs, setup.source, lessons.all_labels(), setup.parent)
        accelerator.wait_for_everyone()
        trained = train(config, accelerator, setup.method, lessons.prompted, folder, lessons.masks, on_progress, tell)
        if not accelerator.is_main_process:
            return AdaptResult(folder.root, folder.adapter, {}, None)
        evaluation = judge(config, setup.segmenter, lessons.prompted, given.validation, folder, trained.selection, tell)
        summary = summarise(config, given, setup, lessons, trained, evaluation)
        folder.write_summary(summary)
        return AdaptResult(folder.root, folder.adapter, summary, evaluation)
