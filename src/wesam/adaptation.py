"""The main job from end to end: check the labels, adapt, judge the result, write it all down."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wesam.errors import WesamError
from wesam.evaluation.evaluate import DEFAULT_PROMPTS, evaluate
from wesam.evaluation.ground_truth import ScoredPrompt, scorable, simulated_prompts
from wesam.evaluation.previews import pick_samples, write_previews, write_scored_previews
from wesam.evaluation.report import write_report
from wesam.evaluation.scores import Evaluation
from wesam.labels.check import load_samples
from wesam.labels.known_masks import count_known, known_masks
from wesam.labels.problems import Problem
from wesam.labels.summary import tiny_object_hint
from wesam.methods.base import Method
from wesam.methods.registry import build_method
from wesam.models.fingerprint import fingerprint
from wesam.models.segmenter import Segmenter
from wesam.prompts.weak_labels import boxes_for_masks, weak_labels
from wesam.training.accelerator import make_accelerator
from wesam.training.automatic_labels import automatic_labels
from wesam.training.config import RunConfig, make_config
from wesam.training.input_record import keep_same_inputs
from wesam.training.loop import train
from wesam.training.progress import Progress
from wesam.training.run_folder import RunFolder
from wesam.training.watch import Selection
from wesam.types import Sample
from wesam.updates.load import load_segmenter, start_from
from wesam.updates.update import add_update

_TELL_EVERY = 5.0  # seconds


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
        on_progress: called every `log_every` steps.
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
    labelled: list[Sample] | None = None
    skipped: tuple[Problem, ...] = ()
    left_out = 0
    if config.labels is not None:
        labelled, report = load_samples(
            config.images, config.labels, format=config.labels_format, reading=config.reading
        )
        skipped, left_out = report.skipped, report.tally.left_out
        for line in report.lines():
            tell(line)
    validation = None
    if config.val_labels is not None:
        validation, report = load_samples(
            config.images, config.val_labels, format=config.val_labels_format, reading=config.reading
        )
        for line in report.lines():
            tell(line)
        for sample in validation:
            scorable(sample)

    folder = RunFolder(config.out)
    accelerator = make_accelerator(config, folder)
    segmenter = load_segmenter(config.model, device=str(accelerator.device), precision=config.precision)
    source = fingerprint(segmenter)
    hint = tiny_object_hint(labelled or (), segmenter.input_size) if config.views.tile is None else None
    if hint is not None:
        tell(f"note: {hint}")
    add_update(segmenter, config.update, seed=config.seed)
    parent = None if config.start is None else start_from(segmenter, config.start)
    method = build_method(config.method, segmenter)
    if method.needs == "masks" and labelled is None:
        raise WesamError(f"method {config.method.name}: expected labels with masks, got no labels")
    seen = {sample.id for sample in labelled or ()} & {sample.id for sample in validation or ()}
    if seen and method.needs == "masks":
        raise WesamError(
            f"val_labels: expected masks of images that method {config.method.name} does not learn from, got "
            f"{min(seen)}, which is in labels too ({len(seen)} such images)"
        )
    if seen:
        tell(f"note: {len(seen)} of {len(validation or ())} images to score on are adapted to as well, without masks")
    weak, masks = _split_labels(config, method, labelled or (), seen, tell)
    if labelled is not None:
        for line in method.remarks(weak):
            tell(f"note: {line}")
    # Only now, when all that was given has proved usable, is anything written.
    with folder.writing():
        if accelerator.is_main_process:
            folder.open(config, resume)
        accelerator.wait_for_everyone()
        if labelled is None:
            kept_aside = {sample.id for sample in validation or ()}
            found = automatic_labels(config, accelerator, segmenter, folder, kept_aside, tell)
            weak = _prompted(config, found)
        if accelerator.is_main_process:
            keep_same_inputs(folder.inputs, source, _all_labels(method, weak, masks), parent)
        accelerator.wait_for_everyone()
        trained = train(config, accelerator, method, weak, folder, masks, on_progress, tell)
        if not accelerator.is_main_process:
            return AdaptResult(folder.root, folder.adapter, {}, None)
        selection = trained.selection
        evaluation = _judge(config, segmenter, weak, validation, folder, selection, tell)
        summary = {
            "model": config.model,
            "method": config.method.name,
            "start": None if parent is None else {"adapter": str(config.start), "sha256": parent},
            "images": len(weak),
            "instances": sum(len(sample.instances) for sample in weak),
            "masks": sum(len(sample.instances) for sample in masks or ()),
            "left_out": left_out,
            "skipped": [str(problem) for problem in skipped],
            "steps": trained.steps,
            "resumed_from": trained.resumed_from,
            "seconds": round(trained.seconds, 1),
            "images_per_second": round(trained.images_per_second, 2),
            "selection": selection.record(),
            "health_seconds": round(selection.seconds, 1),
            "last_metrics": ([row for row in folder.read_metrics() if "total" in row] or [{}])[-1],
            "adapter_bytes": sum(file.stat().st_size for file in folder.adapter.iterdir()),
            "scored_images_adapted_to": len(seen),
            "evaluation": evaluation and evaluation.miou(),
        }
        folder.write_summary(summary)
        return AdaptResult(folder.root, folder.adapter, summary, evaluation)


def _split_labels(
    config: RunConfig,
    method: Method,
    labelled: Sequence[Sample],
    scored: Collection[str],
    tell: Callable[[str], None],
) -> tuple[list[Sample], list[Sample] | None]:
    """What prompts, and the masks that are learned from; None where none are.

    Masks beside other labels are learned from, and never prompt, unless `config.prompt` asks for one kind alone.
    """
    if method.needs == "masks":
        masks = [scorable(sample) for sample in labelled]
        return _prompted_from_truth(config, masks), masks
    if config.prompt != "auto" or not method.trainable:
        return _prompted(config, labelled), None
    weak = _prompted(config, [boxes_for_masks(sample) for sample in labelled])
    learned = [sample for sample in known_masks(labelled) if sample.id not in scored]
    if not learned:
        return weak, None
    tell(f"note: {count_known(learned, labelled)}")
    return weak, learned


def _all_labels(method: Method, weak: Sequence[Sample], masks: Sequence[Sample] | None) -> Sequence[Sample]:
    """All that a resumed run needs to find again."""
    if masks is None or method.needs == "masks":
        return masks or weak
    known = {sample.id: sample.instances for sample in masks}
    return [sample.with_instances((*sample.instances, *known.get(sample.id, ()))) for sample in weak]


def _prompted(config: RunConfig, samples: Sequence[Sample]) -> list[Sample]:
    """The samples with what of their labels the run prompts with."""
    return [weak_labels(sample, config.prompt, config.seed) for sample in samples]


def _prompted_from_truth(config: RunConfig, samples: Sequence[Sample]) -> list[Sample]:
    """Samples that a mask is learned from, with prompts that do not give it away."""
    prompt = _prompt_of_truth(config)
    return [sample.with_instances(simulated_prompts(sample, prompt, config.seed)) for sample in samples]


def _prompt_of_truth(config: RunConfig) -> ScoredPrompt:
    """What to prompt with where masks are the truth: "auto" could be the mask; a box is what most users give."""
    return "box" if config.prompt == "auto" else config.prompt


def _judge(
    config: RunConfig,
    segmenter: Segmenter,
    weak: Sequence[Sample],
    validation: Sequence[Sample] | None,
    folder: RunFolder,
    selection: Selection,
    tell: Callable[[str], None],
) -> Evaluation | None:
    """Previews of the run; with validation masks also scores and the report."""
    tile, overlap = config.views.tile, config.views.overlap
    if validation is None:
        shown = pick_samples(weak, config.previews)
        write_previews(segmenter, shown, folder.previews, tile=tile, overlap=overlap)
        return None
    tell(f"scoring source and adapted model on {len(validation)} images with masks")
    own = _prompt_of_truth(config)
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
    shown = pick_samples(validation, config.previews, evaluation)
    pictures = write_scored_previews(
        segmenter,
        shown,
        folder.previews,
        prompts=(own, "click"),
        seed=config.seed,
        tile=tile,
        overlap=overlap,
    )
    write_report(
        folder.root / "report.html",
        evaluation,
        selection=selection.reason,
        health=selection,
        settings=config.model_dump(mode="json"),
        previews=pictures,
    )
    return evaluation


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
