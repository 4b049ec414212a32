"""The four numbers of a box, where whoever wrote them may have meant others than the format has.

A box [40, 30, 80, 70] is a corner and a size in COCO, two corners in Pascal VOC; read as the other, it is a box still.
One box does not tell, but a set of them does: boxes leave their image, or overlap, that would not as meant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from wesam.errors import WesamError
from wesam.labels.rotation import rotation_of_json
from wesam.labels.shapes import OVERSHOOT, finite_floats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from wesam.labels.folder import ImageFile

    _Numbers = NDArray[np.float64]

# So many boxes, and such a part of all, do not fit their image where another reading is proposed: one may be a slip.
# As two corners all fit less easily, so that one that does not is enough for that.
_LEAST_MISFITS, _LEAST_PART = 2, 0.1

# Second corners go with the first ones, sizes do not: the least correlation in x and in y, over at least so many boxes.
_CORRELATION, _LEAST_BOXES = 0.8, 5

# Fewer boxes of one image overlap by chance; of more a part will do.
_LEAST_TOGETHER, _MOST_TOGETHER = 3, 100

# All within it are fractions of the image's size, which is another mistake.
_FRACTION = 1.1

# As far as converters round an area.
_ROUNDING = 0.01

EDGES, CORNER, CENTRE = "x0, y0, x1, y1", "x, y, width, height", "centre x, centre y, width, height"

_EDGES_OF: dict[str, Callable[[_Numbers], _Numbers]] = {
    EDGES: lambda n: n,
    CORNER: lambda n: np.concatenate([n[:, :2], n[:, :2] + n[:, 2:]], axis=1),
    CENTRE: lambda n: np.concatenate([n[:, :2] - n[:, 2:] / 2, n[:, :2] + n[:, 2:] / 2], axis=1),
}


@dataclass(frozen=True)
class BoxNumbers:
    """A box as it stands in the labels, in pixels.

    Attributes:
        numbers: the four of them.
        size: width and height of the image.
        image: its id.
        area: of the object, as the labels state it; 0 if they do not.
    """

    numbers: tuple[float, float, float, float]
    size: tuple[int, int]
    image: str
    area: float = 0.0


def numbers_of_json(entry: dict[str, Any], file: ImageFile) -> list[BoxNumbers]:
    """Those of the box of a COCO annotation; none where they cannot be read, or the box is turned."""
    try:
        numbers = finite_floats(entry.get("bbox"), "a box")
        (area,) = finite_floats([entry.get("area") or 0], "an area")
        turned = rotation_of_json(entry)
    except WesamError:  # said where it matters
        return []
    if turned or len(numbers) != 4:
        return []
    x, y, width, height = numbers
    return [BoxNumbers((x, y, width, height), (file.width, file.height), file.id, area)]


def doubtful_reading(boxes: Sequence[BoxNumbers], reading: str) -> str | None:
    """What to report of a set whose boxes look as if they were meant otherwise; None if they do not.

    Args:
        boxes: all of the set that have four numbers and are not turned.
        reading: how the format has them: `EDGES`, `CORNER` or `CENTRE`.
    """
    numbers = np.array([box.numbers for box in boxes], dtype=np.float64)
    if not boxes or numbers.max() <= _FRACTION:
        return None
    sizes = np.array([box.size for box in boxes], dtype=np.float64)
    exchanged = f"{reading} with x and y exchanged"
    with np.errstate(over="ignore"):
        own, swapped = _EDGES_OF[reading](numbers), _EDGES_OF[reading](numbers[:, [1, 0, 3, 2]])
        others = {other: edges_of(numbers) for other, edges_of in _EDGES_OF.items() if other != reading}
    misfits = ~_fit(own, sizes)
    count = int(misfits.sum())
    for other, edges in {**others, exchanged: swapped}.items():
        enough = 1 if other == EDGES else max(_LEAST_MISFITS, _LEAST_PART * len(boxes))
        if count and count >= enough and _fit(edges, sizes).all():
            return (
                f"{count} of {len(boxes)} boxes do not fit their image as {reading}, but all do as {other}; "
                "if they are meant so, write them as the format has them"
            )
    if reading == EDGES or not _fit(numbers, sizes).all():
        return None
    if why := _second_corners(boxes, numbers, own, sizes):
        return (
            f"boxes look like two corners ({EDGES}) in the place of {reading}: {why}; if they are, write them as the "
            "format has them"
        )
    return None


def _second_corners(boxes: Sequence[BoxNumbers], numbers: _Numbers, own: _Numbers, sizes: _Numbers) -> str | None:
    """Why the last two numbers look like a second corner, which is to the lower right of the first in all boxes."""
    areas = np.array([box.area for box in boxes])
    as_size, as_corners = np.prod(numbers[:, 2:], axis=1), np.prod(numbers[:, 2:] - numbers[:, :2], axis=1)
    contradicted = _close(areas, as_corners) & ~_close(areas, as_size)
    if contradicted.sum() > 0.5 * (areas > 0).sum():
        return "the areas are theirs"
    if len(boxes) >= _LEAST_BOXES:
        fractions = numbers / np.tile(sizes, 2)
        if all(_correlation(fractions[:, axis], fractions[:, axis + 2]) > _CORRELATION for axis in (0, 1)):
            return "the further to the lower right, the larger"
    places: dict[str, list[int]] = {}
    for index, box in enumerate(boxes):
        places.setdefault(box.image, []).append(index)
    together = [rows[:_MOST_TOGETHER] for rows in places.values() if len(rows) >= _LEAST_TOGETHER]
    if any(_overlaps(own[rows]) for rows in together) and not any(_overlaps(numbers[rows]) for rows in together):
        return "they overlap, but would not as corners"
    return None


def _fit(edges: _Numbers, sizes: _Numbers) -> NDArray[np.bool_]:
    """(N,): which boxes are not empty and inside their image."""
    within = (edges[:, :2] >= -OVERSHOOT).all(1) & (edges[:, 2:] <= sizes + OVERSHOOT).all(1)
    return np.asarray(within & (edges[:, 2:] > edges[:, :2]).all(1), dtype=np.bool_)


def _close(one: _Numbers, other: _Numbers) -> NDArray[np.bool_]:
    near = np.abs(one - other) <= _ROUNDING * np.maximum(one, 1.0)
    return np.asarray(near & (one > 0), dtype=np.bool_)


def _correlation(one: _Numbers, other: _Numbers) -> float:
    """Pearson's; 0 where one of them is constant."""
    spread = one.std() * other.std()
    return float(((one - one.mean()) * (other - other.mean())).mean() / spread) if spread > 0 else 0.0


def _overlaps(edges: _Numbers) -> int:
    """How many pairs of boxes share pixels."""
    low = np.maximum(edges[:, None, :2], edges[None, :, :2])
    high = np.minimum(edges[:, None, 2:], edges[None, :, 2:])
    shared = (high > low).all(-1)
    return int((shared.sum() - len(edges)) // 2)
