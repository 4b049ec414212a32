"""How much a family hurts the model, beside source scenes whose objects are as large as the family's.

Large objects are easier than small ones, so a family of large ones can hide its shift.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from transformers import SamModel

from recipes.pretraining import probe
from wesam import markdown
from wesam.generated.canvas import Scene

_KINDS: dict[probe.Kind, str] = {"box": "box", "points": "5+5 points"}


@dataclass(frozen=True)
class Scored:
    """Answers to the objects of an image set.

    Attributes:
        octaves: floor(log2(sqrt(area of the mask) / longest side of the image)), one list an image.
        ious: in [0, 1], likewise.
    """

    octaves: list[list[int]]
    ious: list[list[float]]

    def first(self, images: int) -> Scored:
        """The same of the first so many images alone."""
        return Scored(self.octaves[:images], self.ious[:images])


def octave(area: float, longest: int) -> int:
    """The size of an object: floor(log2(sqrt(area) / longest side of the image)); -1 from half of the side up.

    Args:
        area: of its mask, pixels, above 0.
        longest: side of the image, pixels.
    """
    return int(np.floor(np.log2(np.sqrt(area) / longest)))


def by_octave(scored: Scored) -> dict[int, tuple[float, float]]:
    """Share of the mIoU's weight and mean IoU of each octave that has objects, smallest first.

    An object weighs 1 / (images * objects in its image), as it does in the mIoU: the shares sum to 1 and the
    means, weighted by them, to the mIoU.
    """
    weights: dict[int, list[float]] = defaultdict(list)
    ious: dict[int, list[float]] = defaultdict(list)
    for octaves, values in zip(scored.octaves, scored.ious, strict=True):
        for size, iou in zip(octaves, values, strict=True):
            weights[size].append(1 / (len(scored.ious) * len(values)))
            ious[size].append(iou)
    return {
        size: (sum(weights[size]), float(np.average(ious[size], weights=weights[size]))) for size in sorted(weights)
    }


def at_sizes_of(family: Scored, source: Scored) -> float:
    """The source's mIoU in [0, 1], had its objects the sizes of the family's: sum_b share_family(b) * mean_source(b).

    An octave without source objects is interpolated between its neighbours; beyond the last one that has some, the
    last one counts.
    """
    means = by_octave(source)
    wanted = by_octave(family)
    found = np.interp(list(wanted), list(means), [mean for _, mean in means.values()])
    return float(np.dot([share for share, _ in wanted.values()], found))


def score(sam: SamModel, test: Sequence[Scene]) -> dict[str, Scored]:
    """Answers to boxes and to 5+5 points, by the name of the column."""
    features = probe.embed(sam, test)
    octaves = [[octave(mask.sum(), max(mask.shape)) for mask in scene.masks] for scene in test]
    return {
        name: Scored(octaves, probe.evaluate(sam, test, kind, features=features).ious) for kind, name in _KINDS.items()
    }


def head() -> str:
    """The table's first two lines, markdown."""
    columns = [
        f"{name}{what}" for name in _KINDS.values() for what in ("", ", source scenes at these sizes", ", difference")
    ]
    return markdown.head(["mIoU (%)", *columns])


def line(name: str, family: dict[str, Scored], source: dict[str, Scored]) -> str:
    """One line of the table."""
    cells = []
    for kind in _KINDS.values():
        own = 100 * sum(share * mean for share, mean in by_octave(family[kind]).values())
        expected = 100 * at_sizes_of(family[kind], source[kind])
        cells += [f"{own:.1f}", f"{expected:.1f}", f"{own - expected:+.1f}"]
    return markdown.line([name, *cells])
