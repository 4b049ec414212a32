"""What only shows when all labels of a set are seen at once: mistakes in which each value by itself is fine.

Nothing is left out because of it, with one exception: a set whose coordinates all lie within 0..1 cannot be used.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from wesam.errors import WesamError
from wesam.labels.images import orientation
from wesam.labels.problems import Problem
from wesam.labels.shapes import OVERSHOOT, box_iou
from wesam.masks import mask_box

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wesam.labels.label_set import LabelSet
    from wesam.types import Instance, Sample

_T = TypeVar("_T")
_Box = tuple[float, float, float, float]

# An object's box and that of its mask overlap less only by mistake: boxes around hidden parts are seldom twice as big.
_LEAST_IOU = 0.5

# How far beside its object a click may lie, in sides of the object: key points such as a hand reach over a box.
_REACH = 0.25

# An object that covers more of an image, or more than half of it and nearly all of its border, is a background.
_NEARLY_ALL = 0.9

# Loose boxes around objects that fill their image are a little smaller.
_WHOLE_IMAGE = 0.95

# Fractions as detectors and hands write them go a little over 1.
_FRACTION = 1.1

# So many objects on so many images, all of them in the upper left quarter, are no chance.
_LEAST_CROWD, _LEAST_IMAGES = 10, 3

# Masks are examined pixel by pixel, so of large sets only so many, evenly.
_MOST_MASKS = 200

# Crumbs of a mask, in its largest piece, that are no objects of their own.
_CRUMB = 0.1


def without_fractions(found: LabelSet, name: str) -> LabelSet:
    """The set itself; or one fatal problem, if all coordinates lie within 0..1 where the format has other units.

    Args:
        found: what a reader returned.
        name: of the labels, for the message.
    """
    pairs = [(sample, one) for sample in found.samples for one in sample.instances]
    # Whole numbers may be a pixel: a box from 0 to 1 is one.
    odd = any(problem.fractions for problem in found.problems) or any(not _is_whole(one) for _, one in pairs)
    unit = 0.01 if found.percent else 0.0
    within = all(
        right <= _FRACTION * max(1.0, unit * sample.width) and bottom <= _FRACTION * max(1.0, unit * sample.height)
        for sample, one in pairs
        for right, bottom in [_far_corner(one)]
    )
    if not (odd and within):
        return found
    expected = "percentages" if found.percent else "pixels"
    message = (
        f"expected coordinates in {expected}, got a set in which all coordinates lie within 0..1, as fractions of the "
        f"image's size do; multiply {'all by 100' if found.percent else 'x by the width and y by the height'}"
    )
    others = tuple(problem for problem in found.problems if not problem.fractions)
    left_out = found.left_out | {sample.id for sample in found.samples}
    refused = sum(problem.objects for problem in found.problems if problem.fractions)
    fatal = Problem("fatal", name, "", message, refused + len(pairs))
    return replace(found, samples=(), problems=(*others, fatal), left_out=left_out)


def look_at_set(samples: Sequence[Sample], found: LabelSet, name: str) -> list[Problem]:
    """Notes about a set as a whole, each with the first images or objects it is about.

    Args:
        samples: those that are used.
        found: what the reader said of them.
        name: of the labels, for the messages.
    """
    messages = (
        _within_first_pixel(samples),
        _all_in_one_quarter(samples),
        _box_beside_mask(samples),
        _points_beside_object(samples),
        _backgrounds(samples),
        _boxes_around_everything(samples),
        None if found.upright else _turned(samples, found.sized),
        None if found.pieces_chosen else _several_pieces(samples),
    )
    return [Problem("note", name, "", message) for message in messages if message]


def _within_first_pixel(samples: Sequence[Sample]) -> str | None:
    marked = (one for one in _instances(samples) if one.rle is None)  # a mask there is a pixel
    ids = [one.id for one in marked if max(_far_corner(one)) <= 1 and not _is_whole(one)]
    if not ids:
        return None
    return f"coordinates within 0..1, so within the first pixel, in {_listed(ids, 'object')}: fractions of the size?"


def _all_in_one_quarter(samples: Sequence[Sample]) -> str | None:
    corners = [(sample, _far_corner(one)) for sample in samples for one in sample.instances]
    within = all(2 * right <= sample.width and 2 * bottom <= sample.height for sample, (right, bottom) in corners)
    if not within or len(corners) < _LEAST_CROWD or len({sample.id for sample, _ in corners}) < _LEAST_IMAGES:
        return None
    return (
        f"all {len(corners)} objects lie in the upper left quarter of their images: labels of smaller copies of them, "
        "or percentages?"
    )


def _box_beside_mask(samples: Sequence[Sample]) -> str | None:
    ids = []
    corners = 0
    for one in _instances(samples):
        if one.box is None or one.rle is None:
            continue
        own = mask_box(one.rle)
        close = max(abs(a - b) for a, b in zip(one.box, own, strict=True)) <= OVERSHOOT
        if not close and box_iou(one.box, own) < _LEAST_IOU:
            ids.append(one.id)
            # What is read as width and height are then the second corner.
            x0, y0, x1, y1 = one.box
            meant = (x0, y0, x1 - x0, y1 - y0)
            corners += meant[2] > x0 and meant[3] > y0 and box_iou(meant, own) > _LEAST_IOU
    hint = "; the boxes look like two corners in the place of a corner, width and height" if corners else ""
    return f"box and mask do not fit together in {_listed(ids, 'object')}{hint}" if ids else None


def _points_beside_object(samples: Sequence[Sample]) -> str | None:
    ids = []
    for one in _instances(samples):
        extent = one.box if one.box is not None else mask_box(one.rle) if one.rle is not None else None
        if extent is None:
            continue
        x0, y0, x1, y1 = extent
        reach = max(OVERSHOOT, _REACH * max(x1 - x0, y1 - y0))
        beside = [max(x0 - x, y0 - y, x - x1, y - y1) > reach for x, y, label in one.points if label]
        if any(beside):
            ids.append(one.id)
    return f"points on an object lie far outside its box or mask in {_listed(ids, 'object')}" if ids else None


def _backgrounds(samples: Sequence[Sample]) -> str | None:
    masked = [sample for sample in samples if any(one.rle is not None for one in sample.instances)]
    looked_at = _some(masked)
    ids = [s.id for s in looked_at if any(_is_background(one.rle) for one in s.instances if one.rle is not None)]
    if 2 * len(ids) <= len(looked_at):
        return None
    what = "is the background labelled as an object, or are black and white exchanged?"
    return f"one mask covers nearly the whole image, or all around its border, in {_listed(ids, 'image')}: {what}"


def _is_background(rle: dict[str, Any]) -> bool:
    height, width = rle["size"]
    fraction = float(coco_mask.area(rle)) / (height * width)
    if fraction <= 0.5 or fraction > _NEARLY_ALL:
        return bool(fraction > _NEARLY_ALL)
    mask = coco_mask.decode(rle)
    border = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    return bool(border.mean() > _NEARLY_ALL)


def _boxes_around_everything(samples: Sequence[Sample]) -> str | None:
    boxes = [(sample, one.box) for sample in samples for one in sample.instances if one.box is not None]
    whole = [s.id for s, (x0, y0, x1, y1) in boxes if (x1 - x0) * (y1 - y0) >= _WHOLE_IMAGE * s.width * s.height]
    if not boxes or len(whole) < _NEARLY_ALL * len(boxes):
        return None
    every = "every box" if len(whole) == len(boxes) else f"{len(whole)} of {len(boxes)} boxes"
    return f"{every} is around the whole image, in {_listed(list(dict.fromkeys(whole)), 'image')}: of a converter?"


def _turned(samples: Sequence[Sample], sized: frozenset[str]) -> str | None:
    """Of images whose EXIF orientation turns them, where no size says that the labels are made on the upright ones."""
    ids = []
    for sample in samples:
        try:
            turn = orientation(sample.path)
        except WesamError:  # reported where it matters
            continue
        exchanged = turn in (5, 6, 7, 8) and sample.width != sample.height
        if turn in range(2, 9) and not (exchanged and sample.id in sized):
            ids.append(sample.id)
    if not ids:
        return None
    return (
        f"{_listed(ids, 'image')} turned by EXIF orientation, and the labels do not say whether they know; they are "
        "read as made on the upright image, as viewers show it, not on the stored pixels"
    )


def _several_pieces(samples: Sequence[Sample]) -> str | None:
    masked = [one for one in _instances(samples) if one.rle is not None]
    looked_at = _some(masked)
    several = [(one, count) for one in looked_at if (count := _pieces(one.rle or {})) > 1]
    if not several or 2 * len(several) < len(looked_at):
        return None
    ids = [one.id for one, _ in several]
    pieces = f"{sum(count for _, count in several)} separate pieces"
    return (
        f"masks of several separate pieces: {pieces} in {_listed(ids, 'object')}; if they are masks of classes, each "
        "piece may be an object: --instances components (of a mask folder), or --instances values to keep them together"
    )


def _pieces(rle: dict[str, Any]) -> int:
    """How many separate pieces a mask has, crumbs left out."""
    x0, y0, x1, y1 = (round(edge) for edge in mask_box(rle))
    crop = np.ascontiguousarray(coco_mask.decode(rle)[y0:y1, x0:x1])
    _, _, stats, _ = cv2.connectedComponentsWithStats(crop, connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    return int((areas >= _CRUMB * areas.max()).sum())


def _is_whole(one: Instance) -> bool:
    """Whether it may be the first pixel of an image; a mask of no other is what an outline in fractions becomes."""
    if one.rle is not None:
        return False
    numbers = [*(one.box or ()), *(number for point in one.points for number in point)]
    return all(number % 1 == 0 for number in numbers)


def _far_corner(one: Instance) -> tuple[float, float]:
    """The right and the lower edge of all that an object is labelled with."""
    boxes = [box for box in (one.box, mask_box(one.rle) if one.rle is not None else None) if box is not None]
    ends = [box[2:] for box in boxes] + [(x, y) for x, y, _ in one.points]
    return max(x for x, _ in ends), max(y for _, y in ends)


def _instances(samples: Sequence[Sample]) -> Iterator[Instance]:
    return (one for sample in samples for one in sample.instances)


def _some(values: Sequence[_T]) -> list[_T]:
    """At most `_MOST_MASKS`, evenly."""
    step = max(1, -(-len(values) // _MOST_MASKS))
    return list(values[::step])


def _listed(ids: Sequence[str], what: str) -> str:
    shown = ", ".join(ids[:3]) + (", ..." if len(ids) > 3 else "")
    return f"{len(ids)} {what}{'s' if len(ids) > 1 else ''} ({shown})"
