"""A data set ready on disk: images to adapt to and others to score on, all with masks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from wesam.bench.datasets.entry import Dataset
from wesam.bench.datasets.read import load_dataset
from wesam.bench.datasets.registry import DATASETS, find_dataset, own_dataset
from wesam.corruptions import CORRUPTIONS, corrupt_folder
from wesam.errors import WesamError
from wesam.generated.coco import write_coco
from wesam.generated.scenes import FAMILIES, VERSION
from wesam.labels.coco import read_coco
from wesam.types import Sample

#: Generated images, spoilt: "corrupted/fog" is the family that the bundled model learnt from, in fog.
CORRUPTED = "corrupted"
_SEVERITY = 5  # as in the paper


@dataclass(frozen=True)
class Size:
    """How many images a run takes at most, of each half; None for all of a real data set."""

    train: int | None
    test: int | None
    side: int = 256  # of generated images, pixels


@dataclass(frozen=True)
class Target:
    """Images to adapt to and to score on.

    Attributes:
        name: as the tables call it.
        version: of its images and masks; scores of two versions must not be mixed.
        images: the folder that ids of samples are relative to.
        train, test: with masks; they share no image.
    """

    name: str
    version: str
    images: Path
    train: tuple[Sample, ...]
    test: tuple[Sample, ...]


def parse_target(text: str) -> tuple[str, Path | None]:
    """A name and a folder from "kvasir=DIR" or "mine=DIR", a name alone from "smear" or "corrupted/fog".

    Raises:
        WesamError: if a name without a folder is of no generated family, or the folder does not exist.
    """
    name, separator, folder = text.partition("=")
    if not separator:
        if name not in generated_names():
            raise WesamError(f"--dataset: expected NAME=DIR, or one of {', '.join(generated_names())}, got {text!r}")
        return name, None
    if not name or not Path(folder).is_dir():
        raise WesamError(f"--dataset: expected NAME=DIR with a folder that exists, got {text!r}")
    return name, Path(folder)


def generated_names() -> list[str]:
    """Data sets that need no download."""
    return [*(name for name in FAMILIES if name != CORRUPTED), *(f"{CORRUPTED}/{name}" for name in CORRUPTIONS)]


def open_target(name: str, folder: Path | None, out: Path, size: Size) -> Target:
    """Opens a data set, or draws it into `out` unless it is there.

    Args:
        name: of the paper's ten, of a generated family, or any other for a user's own.
        folder: where it lies; None for a generated one.
        out: where generated images are kept; processes may share it.
        size: how many images to take. Of a real data set those are taken that are evenly spread over its order.

    Raises:
        WesamError: if nothing can be run on it.
    """
    if folder is None:
        return _generated(name, out, size)
    if name.partition("/")[0] in DATASETS:
        dataset, variant = find_dataset(name)
    else:
        dataset, variant = own_dataset(name, folder), ""
    return _real(name, dataset, variant, folder, size)


def _real(name: str, dataset: Dataset, variant: str, folder: Path, size: Size) -> Target:
    found = load_dataset(dataset, folder, variant)
    train, test = _spread(found.train, size.train), _spread(found.test, size.test)
    return Target(name, _digest([*train, *test]), found.root, train, test)


def _generated(name: str, out: Path, size: Size) -> Target:
    if size.train is None or size.test is None:
        raise ValueError("expected a number of generated images, got None")
    family, _, corruption = name.partition("/")
    folder = out / f"{family}-v{VERSION}-{size.train}-{size.test}-{size.side}"
    out.mkdir(parents=True, exist_ok=True)
    with FileLock(out / ".lock"):
        done = folder / "done"
        if not done.exists():
            for split, count in (("train", size.train), ("test", size.test)):
                (folder / f"instances_{split}.json").unlink(missing_ok=True)
                painted = "source" if corruption else family
                write_coco(painted, folder, count, split=split, weak=False, size=size.side)  # type: ignore[arg-type]
            done.touch()
        images = folder / "images"
        if corruption:
            images = folder / corruption
            if not images.exists():
                corrupt_folder(folder / "images", images, corruption, _SEVERITY)
    train, test = (read_coco(folder / f"instances_{split}.json", images).samples for split in ("train", "test"))
    return Target(name, VERSION, images, train, test)


def _spread(samples: Sequence[Sample], most: int | None) -> tuple[Sample, ...]:
    if most is None or most >= len(samples):
        return tuple(samples)
    return tuple(samples[len(samples) * number // most] for number in range(most))


def _digest(samples: Sequence[Sample]) -> str:
    total = hashlib.sha256()
    for sample in samples:
        masks: list[Any] = [instance.rle["counts"].decode() for instance in sample.instances if instance.rle]
        total.update(json.dumps([sample.id, sample.width, sample.height, masks]).encode())
    return total.hexdigest()[:8]
