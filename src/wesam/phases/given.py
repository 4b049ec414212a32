"""What a run is given: labels to adapt to, and masks to score with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wesam.evaluation.ground_truth import scorable
from wesam.labels.check import load_samples
from wesam.labels.problems import Problem
from wesam.training.config import RunConfig
from wesam.types import Sample


@dataclass(frozen=True)
class Given:
    """The images of a run with their labels, read and checked.

    Attributes:
        labelled: images with labels; None where there are none, and prompts are to be found.
        validation: images with masks to score with; None where there are none.
        skipped: problems of the labels that cost an object or an image.
        left_out: objects that cannot be used.
    """

    labelled: list[Sample] | None
    validation: list[Sample] | None
    skipped: tuple[Problem, ...] = ()
    left_out: int = 0

    @property
    def adapted_and_scored(self) -> frozenset[str]:
        """Ids of images to score on that are adapted to as well."""
        scored = {sample.id for sample in self.validation or ()}
        return frozenset(sample.id for sample in self.labelled or () if sample.id in scored)


def read_given(config: RunConfig, tell: Callable[[str], None]) -> Given:
    """Reads the labels that a configuration names, and tells what is to say of them.

    Raises:
        WesamError: if they cannot be used, or there are objects to score with that have no mask.
    """
    labelled: list[Sample] | None = None
    validation: list[Sample] | None = None
    skipped: tuple[Problem, ...] = ()
    left_out = 0
    if config.labels is not None:
        labelled, report = load_samples(
            config.images, config.labels, format=config.labels_format, reading=config.reading
        )
        skipped, left_out = report.skipped, report.tally.left_out
        for line in report.lines():
            tell(line)
    if config.val_labels is not None:
        validation, report = load_samples(
            config.images, config.val_labels, format=config.val_labels_format, reading=config.reading
        )
        for line in report.lines():
            tell(line)
        for sample in validation:
            scorable(sample)
    return Given(labelled, validation, skipped, left_out)
