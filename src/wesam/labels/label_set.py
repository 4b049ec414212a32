"""What every reader of a label format returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wesam.labels.problems import Problem

if TYPE_CHECKING:
    from pathlib import Path

    from wesam.errors import WesamError
    from wesam.types import Sample


@dataclass(frozen=True)
class LabelSet:
    """The usable part of a label file, and all that was wrong with the rest.

    A reader of a format is a function ``(labels: Path, images: Path) -> LabelSet`` in a file of its own. It
    raises nothing about what the files hold, but lists it, so that a user sees every problem at once.

    Attributes:
        samples: the images whose files were found, in the order of the label file; `instances` may be empty.
        problems: all that was found, in the order of the label file.
        left_out: ids of images that were found, but of whose labels nothing can be used, and of files in the image
            folder that are labels themselves.
        sized: ids of images whose size the labels state; it is that of the upright image.
        upright: whether the labels are known to be made on upright images, turned by their EXIF orientation.
        percent: whether the format has percentages of the image's size.
        pieces_chosen: whether the user said if the pieces of a mask are one object, or it is plain.
    """

    samples: tuple[Sample, ...]
    problems: tuple[Problem, ...]
    left_out: frozenset[str] = frozenset()
    sized: frozenset[str] = frozenset()
    upright: bool = False
    percent: bool = False
    pieces_chosen: bool = False

    @classmethod
    def unusable(cls, labels: Path, error: WesamError) -> LabelSet:
        """No sample, and the one problem that forbade them all."""
        return cls((), (Problem("fatal", labels.name, "", str(error)),))
