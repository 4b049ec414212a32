"""Looks at a user's images and labels before any work is done with them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from wesam.errors import WesamError
from wesam.labels.containers import left_aside
from wesam.labels.formats import read_labels
from wesam.labels.images import list_images, verify_image
from wesam.labels.problems import Problem, count_images, remarks_as_notes
from wesam.labels.summary import Summary, summarise, tiny_object_hint
from wesam.labels.tally import Tally
from wesam.labels.whole_set import look_at_set, without_fractions
from wesam.types import AS_TAGGED

if TYPE_CHECKING:
    from wesam.types import ImageReading, Sample

# Below this side an image holds fewer than 2 x 2 of an encoder's 16-pixel patches, if it is not enlarged.
TINY_IMAGE = 32

# Images of more pixels are decoded one at a time, so that memory does not grow with the number of cores.
_LARGE = 2**25


@dataclass(frozen=True)
class CheckReport:
    """What was found.

    Attributes:
        images, labels: the folder and the labels that were checked.
        problems: everything that is wrong or odd, in the order it was found.
        summary: what the usable part of the set holds.
        samples: the usable images, each with at least one instance.
        unlabelled: that problem among them which is no more than that images are not in the labels; None without such.
    """

    images: Path
    labels: Path
    problems: tuple[Problem, ...]
    summary: Summary
    samples: tuple[Sample, ...] = ()
    unlabelled: Problem | None = None

    @property
    def tally(self) -> Tally:
        """How many objects are used, and how many left out."""
        return Tally(self.summary.instances, sum(problem.objects for problem in self.problems))

    @property
    def fatal(self) -> tuple[Problem, ...]:
        """Why nothing can be done with the set; empty if it can be used."""
        return tuple(problem for problem in self.problems if problem.severity == "fatal")

    @property
    def skipped(self) -> tuple[Problem, ...]:
        """Why images or instances are left out."""
        return tuple(problem for problem in self.problems if problem.severity == "skip")

    @property
    def notes(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity == "note")

    def lines(self, most: int = 10) -> list[str]:
        """What somebody who goes on should know: what is left out, then the notes; at most so many.

        That images are not in the labels is no news here: those of another split often lie in the same folder.
        """
        notes = [problem for problem in self.notes if problem is not self.unlabelled]
        told = [*(f"skipped: {problem}" for problem in self.skipped), *(f"note: {problem}" for problem in notes)]
        more = len(told) - most
        return told if more <= 1 else [*told[:most], f"... and {more} more; wesam check lists them all"]

    def __str__(self) -> str:
        """One line a problem, the gravest first, then the summary, and what is used if it is not all."""
        problems = (*self.fatal, *self.skipped, *self.notes)
        lines = [*(f"{p.severity:<5} {p}" for p in problems), str(self.summary), str(self.tally)]
        return "\n".join(line for line in lines if line)


def check(
    images: str | Path,
    labels: str | Path,
    input_size: int | None = None,
    decode: bool = True,
    format: str | None = None,
    reading: ImageReading = AS_TAGGED,
) -> CheckReport:
    """Lists every problem of a set at once, and says what the rest of it holds.

    Args:
        images: folder of images.
        labels: file or folder in any format of `labels.formats`.
        input_size: side of the encoder's input in pixels; with it, objects too small to see are noted.
        decode: whether every image is decoded to find damage; without it only headers are read.
        format: name of the labels' format; None to tell by the content.
        reading: which page and bands of the images.

    Raises:
        WesamError: if there is no such format. Never for what the files hold: that is what the report is for.
    """
    return _look(Path(images), Path(labels), input_size, decode, format, reading)[1]


def load_samples(
    images: str | Path,
    labels: str | Path,
    input_size: int | None = None,
    decode: bool = True,
    format: str | None = None,
    reading: ImageReading = AS_TAGGED,
) -> tuple[list[Sample], CheckReport]:
    """The usable images of a set, each with at least one instance, and the report of what was left out.

    Args:
        images, labels, input_size, decode, format, reading: as in `check`.

    Raises:
        WesamError: naming every fatal problem, if there is one, and what came before it; and if there is no such
            format.
    """
    samples, report = _look(Path(images), Path(labels), input_size, decode, format, reading)
    if report.fatal:
        raise WesamError("\n".join([*map(str, report.fatal), *report.lines()]))
    return samples, report


def _look(
    images: Path, labels: Path, input_size: int | None, decode: bool, format: str | None, reading: ImageReading
) -> tuple[list[Sample], CheckReport]:
    found = without_fractions(read_labels(labels, images, format), labels.name)
    problems = list(found.problems)
    samples = [replace(sample, reading=reading) for sample in found.samples]
    if decode:
        samples, remarks = _undamaged(samples, problems)
        problems += remarks_as_notes(remarks, str(images))
    problems += [
        Problem("note", sample.id, "", f"a tiny image of {sample.width} x {sample.height} px")
        for sample in samples
        if min(sample.width, sample.height) < TINY_IMAGE
    ]
    bare = [sample.id for sample in samples if not sample.instances]
    if bare:
        problems.append(Problem("note", labels.name, "images", count_images(bare, "without a usable instance")))
    samples = [sample for sample in samples if sample.instances]
    problems += look_at_set(samples, found, labels.name)

    if images.is_dir():
        aside = left_aside(images, list_images(images))
        problems += [Problem("note", str(images), "", line) for line in aside]
    note = None
    if not any(problem.severity == "fatal" for problem in problems):
        known = found.left_out | {sample.id for sample in found.samples}
        unlabelled = [id_ for path in list_images(images) if (id_ := path.relative_to(images).as_posix()) not in known]
        if unlabelled:
            note = Problem("note", str(images), "", count_images(unlabelled, "not in the labels"))
            problems.append(note)
        if not samples:
            message = "expected at least one usable instance, got none"
            problems.append(Problem("fatal", str(labels), "", message))

    summary = summarise(samples)
    hint = tiny_object_hint(samples, input_size) if input_size else None
    if hint:
        problems.append(Problem("note", labels.name, "", hint))
    return samples, CheckReport(images, labels, tuple(problems), summary, tuple(samples), note)


def _undamaged(samples: list[Sample], problems: list[Problem]) -> tuple[list[Sample], list[tuple[str, str]]]:
    """The samples whose files decode, and what to say of how they are read, by their ids; reports the others."""

    large = threading.Lock()

    def looked_at(sample: Sample) -> WesamError | tuple[str, ...]:
        try:
            with large if sample.width * sample.height > _LARGE else nullcontext():
                return verify_image(sample.path, reading=sample.reading)
        except WesamError as error:
            return error

    with ThreadPoolExecutor() as pool:  # Pillow decodes without holding the interpreter's lock
        found = list(zip(samples, pool.map(looked_at, samples), strict=True))
    problems += [
        Problem("skip", str(sample.path), "", str(error), len(sample.instances))
        for sample, error in found
        if isinstance(error, WesamError)
    ]
    whole = [(sample, said) for sample, said in found if not isinstance(said, WesamError)]
    return [sample for sample, _ in whole], [(sample.id, remark) for sample, said in whole for remark in said]
