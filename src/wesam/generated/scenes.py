"""One scene of a family, deterministic from (family, seed, index)."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from itertools import count

import numpy as np
from numpy.typing import NDArray

from wesam.corruptions import CORRUPTIONS, corrupt
from wesam.errors import WesamError
from wesam.generated.camouflaged import camouflaged
from wesam.generated.canvas import Canvas, Scene, develop, instance_masks
from wesam.generated.medical import endoscopy, medical, smear, ultrasound
from wesam.generated.natural import natural
from wesam.generated.robotic import robotic
from wesam.generated.source import source

Painter = Callable[[np.random.Generator, Canvas], None]

#: Of what the painters draw; a change that alters any pixel raises it, so that scores of two versions are never mixed.
VERSION = "1"

#: Family name -> painter.
FAMILIES: dict[str, Painter] = {
    "source": source,
    "corrupted": source,  # then spoilt, see `draw`
    "natural": natural,
    "medical": medical,
    "smear": smear,
    "ultrasound": ultrasound,
    "endoscopy": endoscopy,
    "camouflaged": camouflaged,
    "robotic": robotic,
}


def draw(family: str, seed: int, index: int, size: int = 256, attempt: int = 0) -> tuple[NDArray[np.uint8], Canvas]:
    """The developed picture, (S, S, 3) uint8 RGB, and the canvas with its labels; each attempt is another scene.

    Raises:
        WesamError: if the family is unknown.
    """
    if family not in FAMILIES:
        raise WesamError(f"family: expected one of {', '.join(FAMILIES)}, got {family!r}")
    # spoilt scenes are the source's own, so that nothing but the corruption differs
    named = "source" if family == "corrupted" else family
    rng = np.random.default_rng([zlib.crc32(named.encode()), seed, index, *([attempt] if attempt else [])])
    canvas = Canvas(size)
    FAMILIES[family](rng, canvas)
    image = develop(rng, canvas.image)
    if family == "corrupted":  # COCO-C's fifteen in turn (needs the extra `bench`)
        kinds = len(CORRUPTIONS)
        severity = 1 + index // kinds % 5
        image = corrupt(image, CORRUPTIONS[index % kinds], severity, int(rng.integers(2**31)))
    return image, canvas


def generate(family: str, seed: int, index: int, size: int = 256) -> Scene:
    """One scene; the same arguments always give the same pixels.

    Args:
        family: a key of `FAMILIES`.
        seed: of the data set.
        index: of the scene in it.
        size: side in pixels.
    Returns:
        a `Scene` with at least one instance.
    """
    for attempt in count():  # now and then everything painted is hidden or too small
        image, canvas = draw(family, seed, index, size, attempt)
        masks = instance_masks(canvas.labels, canvas.parents)
        if len(masks):
            return Scene(image, masks)
    raise AssertionError("unreachable: count() does not end")
