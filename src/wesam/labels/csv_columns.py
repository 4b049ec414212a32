"""What the columns of a table mean, by their names."""

from __future__ import annotations

import re
import reprlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wesam.errors import WesamError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_IMAGE = (
    "image",
    "filename",
    "file_name",
    "image_name",
    "imagename",
    "image_path",
    "path",
    "file",
    "image_id",
    "imageid",
)
_CLASS = ("class", "label", "category", "class_name")
_POSITIVE = ("positive", "is_positive", "point_label")

# Names of one edge.
_SAME = {
    **{f"{axis}{end}": f"{axis}{number}" for axis in "xy" for end, number in (("min", 0), ("_min", 0))},
    **{f"{axis}{end}": f"{axis}2" for axis in "xy" for end in ("max", "_max")},
    **{"xtl": "x0", "ytl": "y0", "xbr": "x2", "ybr": "y2"},
    **{f"{axis}{name}": f"c{axis}" for axis in "xy" for name in ("c", "center", "centre", "_center", "_centre")},
    **{f"{name}_{axis}": f"c{axis}" for axis in "xy" for name in ("center", "centre")},
}

#: Boxes by two corners, by the upper left corner and a size, by the centre and a size; the first that is there counts.
_EDGES = (
    ("x0", "y0", "x1", "y1"),
    ("x0", "y0", "x2", "y2"),
    ("left", "top", "right", "bottom"),
    ("x1", "y1", "x2", "y2"),
    ("x", "y", "x2", "y2"),
)
_CORNER = (
    ("left", "top", "width", "height"),
    ("left", "top", "w", "h"),
    ("x0", "y0", "width", "height"),
    ("x0", "y0", "w", "h"),
    ("x", "y", "w", "h"),
)
_CENTRE = (("cx", "cy", "width", "height"), ("cx", "cy", "w", "h"))
_POINT = ("x", "y")

# Beside a box, or points: the size of the image.
_IMAGE_SIZE = (
    *((f"{what}_width", f"{what}_height") for what in ("image", "img", "original")),
    ("img_w", "img_h"),
    ("width", "height"),
    ("w", "h"),
)

# Parts of a shape: where one is left over, the shape is not what the other columns say.
_PARTS = frozenset({"left", "top", "right", "bottom", "w", "h", "cx", "cy", "radius", "r", "diameter"})
_PARTS |= {f"{axis}{number}" for axis in "xy" for number in range(10)}
_ANGLES = frozenset({"angle", "rotation", "theta", "yaw"})
_PARTNER = {"x": "y", "w": "h", "width": "height", "row": "col", "lon": "lat", "long": "lat", "u": "v", "left": "right"}
_WORD = re.compile(r"[a-z]+|[0-9]+|[^a-z0-9]+")


@dataclass(frozen=True)
class Columns:
    """Of each meaning the columns, by their index; empty where there is none.

    Attributes:
        image: the image's name.
        edges, corner, centre: four of a box; only one of these is there.
        point: x and y of a point.
        size: width and height of the image.
        positive, category, object: one cell each; of several categories the first that is not empty counts.
        angle: of a box, which must not be turned.
        unread: names of those that mean nothing here.
        sides_by_label: whether `positive` is called "label".
    """

    image: int
    edges: tuple[int, ...] = ()
    corner: tuple[int, ...] = ()
    centre: tuple[int, ...] = ()
    point: tuple[int, ...] = ()
    size: tuple[int, ...] = ()
    positive: tuple[int, ...] = ()
    category: tuple[int, ...] = ()
    object: tuple[int, ...] = ()
    angle: tuple[int, ...] = ()
    unread: tuple[str, ...] = ()
    sides_by_label: bool = False

    @property
    def box(self) -> tuple[int, ...]:
        return self.edges or self.corner or self.centre


def find_columns(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Columns:
    """The meaning of a header's columns.

    "label" beside points without boxes is that of SAM where it is 1 or 0 alone: on the object or off it.

    Args:
        header: names, in any case.
        rows: the cells below, for the one case in which they tell.

    Raises:
        WesamError: if there is no image, or no box and no point; if columns may mean several things; and if some look
            like coordinates that would be lost.
    """
    names = [re.sub(r"[\s.-]+", "_", name.strip().lower()) for name in header]
    names = [_SAME.get(name, name) for name in (name.removeprefix("bbox_") for name in names)]
    places: dict[str, int] = {}
    for index, name in enumerate(names):
        places.setdefault(name, index)

    def take(*kinds: Sequence[str]) -> tuple[int, ...]:
        """The columns of the first kind that is there whole; they mean nothing else then."""
        kind = next((kind for kind in kinds if set(kind) <= places.keys()), ())
        return tuple(places.pop(name) for name in kind)

    image = take(*((name,) for name in _IMAGE))
    edges = take(*_EDGES)
    corner = () if edges else take(*_CORNER)
    centre = () if edges or corner else take(*_CENTRE)
    if not (edges or corner or centre) and {"width", "height"} & places.keys() and set(_POINT) <= places.keys():
        raise WesamError(
            "expected left, top, width, height for boxes or x, y for points, got x, y beside width or height; rename "
            "the columns (a box whose x, y is its centre: cx, cy; the size of the image: image_width, image_height)"
        )
    point = take(_POINT)
    if not image or not (edges or corner or centre or point):
        raise WesamError(
            "expected a header with image and x0, y0, x1, y1 (or left, top, width, height) or x, y, got "
            f"{reprlib.repr(','.join(header))}"
        )
    size = take(*_IMAGE_SIZE)
    positive = take(*((name,) for name in _POSITIVE))
    alone = point and not (edges or corner or centre or positive)
    sides_by_label = bool(alone) and _tells_sides(places.get("label"), rows)
    if sides_by_label:
        positive = take(("label",))
    category = tuple(sorted(index for name in _CLASS for index in take((name,))))
    object_ = take(("object",))
    angle = tuple(index for name in _ANGLES for index in take((name,)))
    left_over = [name for name in places if name]
    _refuse_coordinates(left_over)
    unread = tuple(header[places[name]].strip() for name in left_over if name not in _IMAGE)
    return Columns(
        image[0], edges, corner, centre, point, size, positive, category, object_, angle, unread, sides_by_label
    )


def _tells_sides(index: int | None, rows: Iterable[Sequence[str]]) -> bool:
    """Whether a column is of 1 and 0 alone."""
    if index is None:
        return False
    cells = {row[index].strip() for row in rows if index < len(row)} - {""}
    return bool(cells) and cells <= {"1", "0", "1.0", "0.0"}


def _refuse_coordinates(names: Sequence[str]) -> None:
    """Refuses columns that would be dropped, but are parts of a shape, or a pair such as dx and dy."""
    lost = [name for name in names if name in _PARTS]
    for name in names:
        words = _WORD.findall(name)
        for index, word in enumerate(words):
            # "dx" and "size_x": the axis is a word, or the end of one, or its beginning.
            for own, other in _PARTNER.items():
                for swapped in {other} if word == own else _with_axis(word, own, other):
                    partner = "".join([*words[:index], swapped, *words[index + 1 :]])
                    if partner in names and partner != name:
                        lost += [name, partner]
    if lost:
        shown = ", ".join(dict.fromkeys(lost))
        raise WesamError(
            f"expected boxes as x0, y0, x1, y1 or left, top, width, height, or points as x, y, got {shown} beside "
            "other coordinates, which would be lost; rename the columns, or take them out if they are none"
        )


def _with_axis(word: str, own: str, other: str) -> set[str]:
    """A word with another axis at its end or its beginning, if it has one there: of "dx" "dy"."""
    ends = {word.removesuffix(own) + other} if word.endswith(own) else set()
    return ends | ({other + word.removeprefix(own)} if word.startswith(own) else set())
