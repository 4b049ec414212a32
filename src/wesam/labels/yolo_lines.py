"""What the numbers behind the class of a YOLO line mean, which one line alone does not tell.

A box (4 numbers), an outline (6, 8, ...), or a box with key points (pose). Behind them may stand what a detector
writes: a confidence, the number of a track, or both; and behind a box an angle.
"""

from __future__ import annotations

import math
import reprlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from wesam.errors import WesamError
from wesam.labels.shapes import parse_floats

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    _Table = np.ndarray[tuple[int, int], np.dtype[np.float64]]

_BOX = 4
_TRIANGLE = 6
_TURNED_BOX = 8  # numbers of a box given by its corners

# Fewer lines that look like key points may be outlines by chance, if these do not cross themselves.
_LEAST_POSES = 3

# Key points whose visibility is a fraction, as detectors write it: fewer of them may be an outline by chance.
_LEAST_SCORED = 3

# A detector's sign that it sees a key point; of others it gives no place.
_SEEN = 0.5

# Key points spread over more of their box. The corners of an outline do not, taken for a box and points: its first
# corner would be the centre of that box, and lies at the outline's edge.
_POSE_SPREAD = 0.6


@dataclass(frozen=True)
class Line:
    """One object, in fractions of the image's width and height.

    Attributes:
        box: centre x, centre y, width, height; None of an outline.
        degrees: how far the box is turned, clockwise.
        outline: x, y of each corner.
        points: x, y of each labelled key point.
    """

    box: tuple[float, float, float, float] | None = None
    degrees: float = 0.0
    outline: tuple[float, ...] = ()
    points: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Layout:
    """How the lines of a set are to be read.

    Attributes:
        keypoints: how many a line has, and numbers each (2, or 3 with a visibility); None where there are none.
        radians: how many radians a unit of the angles behind boxes is; None where there are none.
        tracked: whether a 1 behind an outline is the number of a track, not the lower edge of the image.
        notes: what its owner should know.
    """

    keypoints: tuple[int, int] | None = None
    radians: float | None = None
    tracked: bool = False
    notes: tuple[str, ...] = field(default=())


def find_layout(lines: Sequence[Sequence[str]], keypoints: tuple[int, int] | None = None) -> Layout:
    """Looks at all lines of a set.

    Args:
        lines: the words of each, behind its class.
        keypoints: as in `Layout`, if a file says so.

    Raises:
        WesamError: if they look like boxes with key points, of which nothing says how many there are.
    """
    notes = []
    if all(len(words) <= _BOX + 2 for words in lines):
        keypoints = None  # plain boxes: the file may be of another set
    if keypoints is None:
        keypoints = _keypoints_with_visibility(lines)
        if keypoints is not None:
            notes.append(f"read as boxes with {keypoints[0]} key points (YOLO pose)")
        elif _look_like_poses(lines):
            raise WesamError(
                "expected boxes or outlines, got lines that look like boxes with key points (YOLO pose); a data.yaml "
                f"beside or above them must say so, such as kpt_shape: [{(len(lines[0]) - _BOX) // 2}, 2]"
            )
    if keypoints is not None:
        return Layout(keypoints, notes=tuple(notes))
    counts = {len(words) for words in lines}
    radians = None
    fifths = [words[_BOX] for words in lines if len(words) == _BOX + 1]
    beyond = [word for word in fifths if math.isfinite(_number(word)) and not 0 <= _number(word) <= 1]
    if beyond and all(map(_is_track, fifths)):
        notes.append("whole numbers behind boxes are read as those of tracks, not as angles")
    elif beyond:
        radians = 1.0 if max(abs(_number(word)) for word in beyond) <= 2 * math.pi else math.pi / 180
        unit = "radians" if radians == 1 else "degrees"
        notes.append(
            f"numbers behind boxes are not within 0..1, so they are read as angles in {unit}, and each box as the "
            "upright one around it"
        )
    if _confidence_first([words for words in lines if len(words) == _BOX + 1]):
        notes.append(
            "boxes leave their image that would not if the confidence stood first, before the box, where none is"
        )
    outlines = [words for words in lines if len(words) >= _TRIANGLE]
    ending = [words for words in outlines if _ends_in_track(words)]
    tracked = bool(ending) and (
        any(_number(words[-1]) > 1 for words in ending)
        or (len(ending) == len(outlines) > 1)
        or all(max(map(_number, words[1:-2:2])) < 1 - 1 / _TURNED_BOX for words in ending)
    )
    layout = Layout(None, radians, tracked)
    stripped = sum(len(_without_extras(words, layout)) < len(words) for words in outlines)
    if stripped:
        notes.append(f"the confidence or track number behind {stripped} outlines is passed over")
    elif counts == {_TURNED_BOX}:
        notes.append("every object has 4 corners (turned boxes, YOLO OBB?); they are read as its outline")
    return Layout(None, radians, tracked, tuple(notes))


def unordered_confidences(files: Iterable[Sequence[Sequence[str]]]) -> str | None:
    """A note, if numbers within 0..1 behind boxes are not in the order in which detectors write confidences.

    Args:
        files: of each file the words of its lines, behind their classes.
    """
    count = 0
    for lines in files:
        fifths = np.array([_number(words[_BOX]) for words in lines if len(words) == _BOX + 1])
        steps = np.diff(fifths)
        within = ((fifths >= 0) & (fifths <= 1)).all()
        count += len(fifths) if within and (steps < 0).any() and (steps > 0).any() else 0
    if not count:
        return None
    return (
        f"numbers within 0..1 behind {count} boxes are read as confidences and passed over, though they are not in the "
        "order of detectors: if they are angles in radians, the boxes are turned ones that are read as upright"
    )


def read_line(words: Sequence[str], layout: Layout) -> Line:
    """One line, behind its class.

    Raises:
        WesamError: if its numbers cannot be read, or are of another count.
    """
    numbers = parse_floats(words, "finite numbers after the class index")
    count = len(numbers)
    if layout.keypoints is not None:
        return _pose(numbers, *layout.keypoints)
    if count in (_BOX, _BOX + 1) or (count == _BOX + 2 and _is_track(words[-1])):
        turned = count == _BOX + 1 and layout.radians is not None
        degrees = math.degrees(numbers[_BOX] * (layout.radians or 0.0)) if turned else 0.0
        return Line(_box(numbers), degrees)
    count = len(_without_extras(words, layout))
    if count < _TRIANGLE or count % 2:
        raise WesamError(
            f"expected 4 numbers after the class index (a box), or 6, 8, ... (a polygon), got {len(numbers)}"
        )
    if max(numbers[:count]) > 2:
        shown = reprlib.repr(max(numbers[:count]))
        raise WesamError(f"expected polygons inside the image, in fractions of its size, got {shown} (pixels?)")
    return Line(outline=tuple(numbers[:count]))


def _without_extras(words: Sequence[str], layout: Layout) -> Sequence[str]:
    """The words of an outline without a confidence and the number of a track."""
    count = len(words)
    if count <= _TRIANGLE:
        return words
    if count % 2:
        alone = _is_track(words[-1]) or 0 <= _number(words[-1]) <= 1
        return words[:-1] if alone else words
    return words[:-2] if layout.tracked and _ends_in_track(words) else words


def _ends_in_track(words: Sequence[str]) -> bool:
    """Whether a confidence and a whole number from 1 on may stand behind an outline."""
    count = len(words)
    return count >= _TRIANGLE + 2 and not count % 2 and _is_track(words[-1]) and 0 <= _number(words[-2]) <= 1


def _is_track(word: str) -> bool:
    return word.isdecimal() and float(word) >= 1


def _pose(numbers: Sequence[float], count: int, each: int) -> Line:
    expected = _BOX + count * each
    if len(numbers) not in (_BOX, expected, expected + 1, expected + 2):  # confidence and track may be behind
        raise WesamError(
            f"expected {expected} numbers after the class index (a box and {count} key points of {each} numbers), "
            f"got {len(numbers)}"
        )
    points = [numbers[start : start + each] for start in range(_BOX, min(len(numbers), expected), each)]
    # Of those that nobody labelled the visibility is 0; of those that a detector does not see, both numbers are.
    labelled = [(point[0], point[1]) for point in points if any(point[:2]) and (each == 2 or point[2] >= _SEEN)]
    return Line(_box(numbers), points=tuple(labelled))


def _box(numbers: Sequence[float]) -> tuple[float, float, float, float]:
    if max(numbers[:_BOX]) > 2:
        shown = ", ".join(f"{number:g}" for number in numbers[:_BOX])
        raise WesamError(f"expected a box inside the image, in fractions of its size, got {shown} (pixels?)")
    return numbers[0], numbers[1], numbers[2], numbers[3]


def _keypoints_with_visibility(lines: Sequence[Sequence[str]]) -> tuple[int, int] | None:
    """The shape of key points with a visibility, if every third number of every line is one.

    A detector writes how sure it is of each instead, and its confidence and a track behind all of them.
    """
    table = _same_length(lines)
    extras = 0 if table is None else (table.shape[1] - _BOX) % 3
    table = None if table is None else _without_columns(table, extras)
    if table is None or table.shape[1] < _BOX + 3 * (2 if extras else 1):
        return None
    points = table[:, _BOX:].reshape(len(table), -1, 3)
    seen = points[..., 2]
    if not np.isin(seen, (0, 1, 2)).all():
        scored = ((seen >= 0) & (seen <= 1)).all() and points.shape[1] >= _LEAST_SCORED
        if not scored or not _spread_over_boxes(table, points[..., :2], seen >= _SEEN):
            return None
    if not seen.any():
        return None
    beside = np.abs(points[..., :2] - table[:, None, :2]) > table[:, None, 2:_BOX]
    return None if (beside.any(-1) & (seen >= _SEEN)).any() else (points.shape[1], 3)


def _look_like_poses(lines: Sequence[Sequence[str]]) -> bool:
    """Whether lines of one length are likely boxes with key points of two numbers each."""
    table = _same_length(lines)
    if table is None:
        return False
    for extras in (1,) if table.shape[1] % 2 else (0, 2):
        cut = _without_columns(table, extras)
        if cut is None or cut.shape[1] < _TURNED_BOX:
            continue
        points = cut[:, _BOX:].reshape(len(cut), -1, 2)
        labelled = np.asarray((points != 0).any(-1), dtype=np.bool_)
        inside = (np.abs(points - cut[:, None, :2]) <= 0.51 * cut[:, None, 2:_BOX]).all(-1) | ~labelled
        if not inside.all() or not _spread_over_boxes(cut, points, labelled):
            continue
        if len(cut) >= _LEAST_POSES or all(_crosses_itself(row.reshape(-1, 2)) for row in cut):
            return True
    return False


def _without_columns(table: _Table, extras: int) -> _Table | None:
    """A table without the confidence, or that and the track, in its last columns; None if they are none."""
    if not extras:
        return table
    confidences, tracks = table[:, -extras], table[:, -1]
    if not ((confidences >= 0) & (confidences <= 1)).all():
        return None
    if extras == 2 and not ((tracks >= 1) & (tracks % 1 == 0)).all():
        return None
    return table[:, :-extras]


def _spread_over_boxes(table: _Table, points: NDArray[np.float64], labelled: NDArray[np.bool_]) -> bool:
    """Whether key points (N, K, 2) fill most of the boxes that the lines begin with."""
    known = labelled[..., None]
    spread = np.where(known, points, -np.inf).max(1) - np.where(known, points, np.inf).min(1)
    return bool((spread > _POSE_SPREAD * table[:, 2:_BOX]).mean() > 0.5)


def _crosses_itself(corners: NDArray[np.float64]) -> bool:
    """Whether two edges of a closed outline (K, 2) cross between their ends."""
    start, end = corners, np.roll(corners, -1, axis=0)

    def side(a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64]) -> NDArray[np.float64]:
        """On which side of the line through `a` and `b` the point `c` lies."""
        turn = (b[..., 0] - a[..., 0]) * (c[..., 1] - a[..., 1]) - (b[..., 1] - a[..., 1]) * (c[..., 0] - a[..., 0])
        return np.asarray(np.sign(turn))

    one, other = (start[:, None], end[:, None]), (start[None], end[None])
    crossing = (side(*one, other[0]) * side(*one, other[1]) < 0) & (side(*other, one[0]) * side(*other, one[1]) < 0)
    return bool(crossing.any())


def _confidence_first(lines: Sequence[Sequence[str]]) -> bool:
    """Whether five numbers are a confidence and a box rather than the other way round."""
    table = np.array([[_number(word) for word in words] for words in lines]).reshape(-1, _BOX + 1)

    def misfits(boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
        low, high = boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2
        return np.asarray((low < -0.01).any(1) | (high > 1.01).any(1))

    within = ((table >= 0) & (table <= 1)).all()
    return bool(within and misfits(table[:, :_BOX]).any() and not misfits(table[:, 1:]).any())


def _same_length(lines: Sequence[Sequence[str]]) -> _Table | None:
    """All numbers, a line a row, if all lines have as many, and begin with what may be a box."""
    if len({len(words) for words in lines}) != 1 or len(lines[0]) < _BOX:
        return None
    table = np.array([[_number(word) for word in words] for words in lines])
    if not np.isfinite(table).all():
        return None
    low, high = table[:, :2] - table[:, 2:_BOX] / 2, table[:, :2] + table[:, 2:_BOX] / 2
    fits = (table[:, 2:_BOX] > 0).all() and (low >= -0.01).all() and (high <= 1.01).all()
    return table if fits else None


def _number(word: str) -> float:
    try:
        return float(word)
    except ValueError:
        return math.nan
