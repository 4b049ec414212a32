"""What a method learns from: the labels that prompt, and the masks that are known."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from wesam.evaluation.ground_truth import ScoredPrompt, scorable, simulated_prompts
from wesam.labels.known_masks import count_known, known_masks
from wesam.methods.base import Method
from wesam.phases.given import Given
from wesam.phases.setup import Setup
from wesam.prompts.weak_labels import boxes_for_masks, weak_labels
from wesam.training.automatic_labels import automatic_labels
from wesam.training.config import RunConfig
from wesam.types import Sample


@dataclass(frozen=True)
class Lessons:
    """What a method learns from.

    Attributes:
        prompted: images with what of their labels prompts.
        masks: the same images, or some of them, with masks that are learned from; None where none are.
        truth: whether the method learns from masks alone, and prompts are drawn from them.
    """

    prompted: list[Sample]
    masks: list[Sample] | None = None
    truth: bool = False

    def all_labels(self) -> Sequence[Sample]:
        """All that a resumed run needs to find again."""
        if self.masks is None or self.truth:
            return self.masks or self.prompted
        known = {sample.id: sample.instances for sample in self.masks}
        return [sample.with_instances((*sample.instances, *known.get(sample.id, ()))) for sample in self.prompted]


def lessons_of_labels(config: RunConfig, method: Method, given: Given, tell: Callable[[str], None]) -> Lessons:
    """What prompts and what is learned from, of the labels that were given; no image where none were.

    Masks beside other labels are learned from, and never prompt, unless `config.prompt` asks for one kind alone.
    """
    both = given.adapted_and_scored
    if both:
        scored = len(given.validation or ())
        tell(f"note: {len(both)} of {scored} images to score on are adapted to as well, without masks")
    if given.labelled is None:
        return Lessons([])
    lessons = _of_labels(config, method, given.labelled, both, tell)
    for line in method.remarks(lessons.prompted):
        tell(f"note: {line}")
    return lessons


def lessons_found(config: RunConfig, setup: Setup, given: Given, tell: Callable[[str], None]) -> Lessons:
    """Prompts that the source model finds, where there are no labels."""
    kept_aside = {sample.id for sample in given.validation or ()}
    found = automatic_labels(config, setup.accelerator, setup.segmenter, setup.folder, kept_aside, tell)
    return Lessons(_prompted(config, found))


def _of_labels(
    config: RunConfig,
    method: Method,
    labelled: Sequence[Sample],
    scored: Collection[str],
    tell: Callable[[str], None],
) -> Lessons:
    if method.needs == "masks":
        masks = [scorable(sample) for sample in labelled]
        return Lessons(_prompted_from_truth(config, masks), masks, truth=True)
    if config.prompt != "auto" or not method.trainable:
        return Lessons(_prompted(config, labelled))
    weak = _prompted(config, [boxes_for_masks(sample) for sample in labelled])
    learned = [sample for sample in known_masks(labelled) if sample.id not in scored]
    if not learned:
        return Lessons(weak)
    tell(f"note: {count_known(learned, labelled)}")
    return Lessons(weak, learned)


def _prompted(config: RunConfig, samples: Sequence[Sample]) -> list[Sample]:
    """The samples with what of their labels the run prompts with."""
    return [weak_labels(sample, config.prompt, config.seed) for sample in samples]


def _prompted_from_truth(config: RunConfig, samples: Sequence[Sample]) -> list[Sample]:
    """Samples that a mask is learned from, with prompts that do not give it away."""
    prompt = prompt_of_truth(config)
    return [sample.with_instances(simulated_prompts(sample, prompt, config.seed)) for sample in samples]


def prompt_of_truth(config: RunConfig) -> ScoredPrompt:
    """What to prompt with where masks are the truth: "auto" could be the mask; a box is what most users give."""
    return "box" if config.prompt == "auto" else config.prompt
