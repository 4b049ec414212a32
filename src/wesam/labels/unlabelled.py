"""A folder of images that nobody has labelled."""

from __future__ import annotations

from pathlib import Path

from wesam.errors import WesamError
from wesam.labels.containers import left_aside
from wesam.labels.derived import without_derived
from wesam.labels.images import image_size, list_images, verify_image
from wesam.labels.problems import Problem, remarks_as_notes
from wesam.types import AS_TAGGED, ImageReading, Sample
from wesam.untrusted import stay_inside


def load_unlabelled(images: str | Path, reading: ImageReading = AS_TAGGED) -> tuple[list[Sample], list[Problem]]:
    """Every usable image of a folder, without instances, why others are left out, and notes on how they are read.

    Masks and flows that lie among the images they were made of are no images (see `derived`).

    Args:
        images: folder of images; each is decoded to find damage.
        reading: which page and bands of them.

    Raises:
        WesamError: if the folder does not exist, or holds no usable image.
    """
    folder = Path(images)
    samples: list[Sample] = []
    problems: list[Problem] = []
    said: list[tuple[str, str]] = []
    paths, derived = without_derived(list_images(folder))
    if derived:
        names = ", ".join(path.relative_to(folder).as_posix() for path in derived[:3]) + ", ..." * (len(derived) > 3)
        message = f"{len(derived)} files that are masks or flows of images beside them: {names}"
        problems.append(Problem("skip", str(folder), "", message))
    for path in paths:
        try:
            width, height = image_size(stay_inside(path, folder))
            remarks = verify_image(path, reading=reading)
        except WesamError as error:
            problems.append(Problem("skip", str(path), "", str(error)))
        else:
            sample = Sample(path.relative_to(folder).as_posix(), path, width, height, reading=reading)
            samples.append(sample)
            said += [(sample.id, remark) for remark in remarks]
    problems += [Problem("skip", str(folder), "", line) for line in left_aside(folder, list_images(folder))]
    if not samples:
        left_out = f"; {len(problems)} cannot be used, the first: {problems[0]}" if problems else ""
        raise WesamError(f"{folder}: expected at least one image, found none{left_out}")
    return samples, problems + remarks_as_notes(said, str(folder))
