"""Opens a data set, lists all that is wrong with it, and keeps train and test apart."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from wesam.bench.datasets.entry import Dataset
from wesam.errors import WesamError
from wesam.labels.images import read_image
from wesam.labels.problems import Problem
from wesam.types import Sample


@dataclass(frozen=True)
class Found:
    """A data set that was opened.

    Attributes:
        root: its folder; the samples' ids are relative to it.
        train: images to adapt to, each with at least one object; none of them is in `test` under another name.
        test: images to score on, each with at least one object.
        problems: all that is wrong or odd.
    """

    root: Path
    train: tuple[Sample, ...]
    test: tuple[Sample, ...]
    problems: tuple[Problem, ...]

    @property
    def fatal(self) -> tuple[Problem, ...]:
        """Why nothing can be run on it; empty if all is well."""
        return tuple(problem for problem in self.problems if problem.severity == "fatal")

    def __str__(self) -> str:
        """One line a problem, the gravest first, then what there is."""
        grave = ("fatal", "skip", "note")
        lines = [f"{p.severity:<5} {p}" for severity in grave for p in self.problems if p.severity == severity]
        halves = (f"{_objects(half)} objects on {len(half)} {name}" for name, half in self._halves())
        return "\n".join([*lines, f"{' and '.join(halves)} images"])

    def _halves(self) -> tuple[tuple[str, tuple[Sample, ...]], ...]:
        return (("train", self.train), ("test", self.test))


def read_dataset(dataset: Dataset, root: Path, variant: str = "") -> Found:
    """Opens a data set; raises nothing about what its files hold, but lists it.

    Every image is decoded once. Of an image that is in both halves the one in train is left out, whatever its name.

    Args:
        root: its folder.
        variant: which version of its images, where it has several.
    """
    places = [place.format(variant=variant) for place in dataset.layout]
    missing = [place for place in places if not (root / place).exists()]
    if missing:
        told = (f"expected it in the folder of {dataset.title} ({dataset.source}), found none" for _ in missing)
        problems = [Problem("fatal", str(root / place), "", text) for place, text in zip(missing, told, strict=True)]
        return Found(root, (), (), tuple(problems))
    halves = dataset.split.read(root, variant)
    problems = list(halves.problems)
    if dataset.images is not None and halves.images != dataset.images and not _any_fatal(problems):
        problems.append(Problem("note", str(root), "", f"{halves.images} of the {dataset.images} images as published"))
    train, test = _with_objects(halves.train, "train", problems), _with_objects(halves.test, "test", problems)
    hashes = _hashes([*train, *test], problems)
    train, test = [s for s in train if s.id in hashes], [s for s in test if s.id in hashes]
    train = _unseen(train, test, hashes, problems)
    if not _any_fatal(problems):
        for half, name in ((train, "train"), (test, "test")):
            if not half:
                problems.append(Problem("fatal", str(root), "", f"expected {name} images with objects, got none"))
    return Found(root, tuple(train), tuple(test), tuple(problems))


def load_dataset(dataset: Dataset, root: Path, variant: str = "") -> Found:
    """`read_dataset`, for those who go on with it.

    Raises:
        WesamError: with every fatal problem, if there is one.
    """
    found = read_dataset(dataset, root, variant)
    if found.fatal:
        raise WesamError("\n".join(map(str, found.fatal)))
    return found


def _any_fatal(problems: Sequence[Problem]) -> bool:
    return any(problem.severity == "fatal" for problem in problems)


def _with_objects(half: Sequence[Sample], name: str, problems: list[Problem]) -> list[Sample]:
    empty = sum(not sample.instances for sample in half)
    if empty:
        problems.append(Problem("note", name, "", f"{empty} images without an object are left out"))
    return [sample for sample in half if sample.instances]


def _hashes(samples: Sequence[Sample], problems: list[Problem]) -> dict[str, bytes]:
    """A hash of each image's pixels by its id; tells those that are damaged, which have none."""

    def digest(sample: Sample) -> bytes | WesamError:
        try:
            pixels = read_image(sample.path)
        except WesamError as error:
            return error
        return hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).digest()

    with ThreadPoolExecutor() as pool:
        found = dict(zip((sample.id for sample in samples), pool.map(digest, samples), strict=True))
    problems += [Problem("skip", name, "", str(e)) for name, e in found.items() if isinstance(e, WesamError)]
    return {name: value for name, value in found.items() if not isinstance(value, WesamError)}


def _unseen(
    train: Sequence[Sample], test: Sequence[Sample], hashes: dict[str, bytes], problems: list[Problem]
) -> list[Sample]:
    """The train images that are not in test; tells the others."""
    tested = {hashes[sample.id]: sample.id for sample in test}
    for sample in train:
        twin = tested.get(hashes[sample.id])
        if twin is not None:
            problems.append(Problem("skip", sample.id, "", f"the same pixels as the test image {twin}"))
    return [sample for sample in train if hashes[sample.id] not in tested]


def _objects(half: Sequence[Sample]) -> int:
    return sum(len(sample.instances) for sample in half)
