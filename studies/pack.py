"""Where the images and labels of one domain lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wesam.corruptions import corrupt_folder
from wesam.errors import WesamError
from wesam.labels.check import load_samples
from wesam.labels.write_coco import write_coco
from wesam.prompts.simulated_set import SimulationSettings, simulate_set


@dataclass(frozen=True)
class Pack:
    """A folder with images, boxes to adapt from, and masks that only the scoring and the upper bound may see.

    Attributes:
        images: `images/`.
        weak: `weak_train.json`, boxes alone.
        train_masks: `instances_train.json`, masks of the same images: for the supervised arm, and to simulate
            other weak labels from.
        test_masks: `instances_test.json`, masks of other images: for scoring alone.
    """

    images: Path
    weak: Path
    train_masks: Path
    test_masks: Path

    @staticmethod
    def at(folder: Path) -> Pack:
        """The pack in a folder.

        Raises:
            WesamError: naming the part that is missing.
        """
        pack = Pack(
            folder / "images",
            folder / "weak_train.json",
            folder / "instances_train.json",
            folder / "instances_test.json",
        )
        for path in (pack.images, pack.weak, pack.train_masks, pack.test_masks):
            if not path.exists():
                raise WesamError(f"{path}: expected a part of the pack, found nothing")
        return pack

    def simulated(self, out: Path, settings: SimulationSettings, seed: int) -> Path:
        """A COCO file of weak labels simulated from the training masks, named by what is in it and written once."""
        parts = [f"{key}={value}" for key, value in settings.model_dump().items()]
        path = out / f"{','.join([*parts, f'seed={seed}'])}.json"
        if not path.exists():
            masks, _ = load_samples(self.images, self.train_masks)
            write_coco([simulate_set(sample, settings, seed) for sample in masks], path)
        return path

    def corrupted(self, out: Path, name: str, severity: int, seed: int) -> Pack:
        """The same labels on corrupted copies of the images, made once."""
        images = out / f"images-{name}-{severity}"
        if not images.exists():
            corrupt_folder(self.images, images, name, severity, seed)
        return Pack(images, self.weak, self.train_masks, self.test_masks)


def folder_name(name: str) -> str:
    """What a domain or an arm, by the name that tables call it, is called on disk."""
    return name.replace(" ", "-").replace("/", "-")
