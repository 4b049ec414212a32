"""Pictures that show at a glance what a model cut out: panels side by side, one colour an object."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pycocotools import mask as coco_mask

from wesam.masks import Rle, mask_window
from wesam.types import FOREGROUND, Instance

Picture: TypeAlias = NDArray[np.uint8]  # (H, W, 3) RGB
Colour: TypeAlias = tuple[int, int, int]

PANEL_SIDE = 512  # pixels of a panel's longest side: small images grow to it, large ones shrink
_MIN_CELL_WIDTH = 200  # room for the title of a very narrow panel
_GAP = 8
_TITLE_HEIGHT = 34
_FONT_SIZE = 18
_PAPER: Colour = (255, 255, 255)
_INK: Colour = (30, 34, 42)
_OUTLINE: Colour = (16, 18, 22)
_FILL = 0.4  # opacity
_CROWD = 60  # from so many objects on, lines are thin
_WIDE = 2.0  # images at least this many times wider than high stand in a column instead of a row
_GOLDEN_RATIO = 0.618033988749895


@dataclass(frozen=True)
class Panel:
    """One panel: a title, and what is drawn on the image, each under the id of its instance.

    Attributes:
        title: a few words above the panel.
        masks: outlines with a translucent fill.
        boxes: xyxy pixel edges in the image frame.
        points: (x, y, label) in the image frame; a disc is on the object (label 1), a cross is off it (0).
        numbered: whether each object's place among `masks`, `boxes` and `points`, from 1, is written on it.
    """

    title: str
    masks: Mapping[str, Rle] = field(default_factory=dict)
    boxes: Mapping[str, tuple[float, float, float, float]] = field(default_factory=dict)
    points: Mapping[str, Sequence[tuple[float, float, int]]] = field(default_factory=dict)
    numbered: bool = False

    @staticmethod
    def of_labels(title: str, instances: Iterable[Instance], numbered: bool = False) -> Panel:
        """All the labels that instances carry."""
        instances = list(instances)
        return Panel(
            title,
            masks={instance.id: instance.rle for instance in instances if instance.rle is not None},
            boxes={instance.id: instance.box for instance in instances if instance.box is not None},
            points={instance.id: instance.points for instance in instances if instance.points},
            numbered=numbered,
        )


def draw_panels(image: Picture, panels: Sequence[Panel], side: int = PANEL_SIDE) -> Picture:
    """`draw_rows` of one row."""
    return draw_rows(image, [panels], side)


def draw_rows(image: Picture, rows: Sequence[Sequence[Panel]], side: int = PANEL_SIDE) -> Picture:
    """Draws panels of one image in rows one below the other; a row is a column where the image is very wide.

    An object has the same colour in every panel.

    Args:
        image: (H, W, 3) uint8 RGB.
        rows: at least one, of equally many panels, at least one; masks are of the image's height and width.
        side: pixels of the longest side of the image in each panel.

    Returns:
        (h, w, 3) uint8 RGB.
    """
    ids = dict.fromkeys(id_ for panels in rows for panel in panels for part in _parts(panel) for id_ in part)
    colours = dict(zip(ids, _distinct_colours(len(ids)), strict=True))
    base = _resized(image, side)
    axis = 0 if image.shape[1] >= _WIDE * image.shape[0] else 1
    drawn = [
        _joined([_titled(panel.title, _drawn(base, image.shape[1], panel, colours)) for panel in panels], axis)
        for panels in rows
    ]
    return np.pad(_joined(drawn, 0), ((0, _GAP), (_GAP, _GAP), (0, 0)), constant_values=255)


def _joined(pictures: Sequence[Picture], axis: int) -> Picture:
    """Pictures one after the other, with a gap between."""
    shape = list(pictures[0].shape)
    shape[axis] = _GAP
    gap = np.full(shape, _PAPER, dtype=np.uint8)
    joined = [pictures[0]]
    for picture in pictures[1:]:
        joined += [gap, picture]
    return np.concatenate(joined, axis=axis)


def _parts(panel: Panel) -> tuple[Iterable[str], Iterable[str], Iterable[str]]:
    return panel.masks, panel.boxes, panel.points


def _distinct_colours(count: int) -> list[Colour]:
    """Bright colours; steps of the golden ratio keep the hues of neighbours in the list far apart."""
    colours = []
    for index in range(count):
        hue = (0.58 + index * _GOLDEN_RATIO) % 1  # begins with a blue, seen on most grounds
        saturation = (0.75, 0.5, 0.85)[index % 3]
        red, green, blue = colorsys.hsv_to_rgb(hue, saturation, 1.0)
        colours.append((round(255 * red), round(255 * green), round(255 * blue)))
    return colours


def _resized(image: Picture, side: int) -> Picture:
    height, width = image.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size, interpolation=interpolation), dtype=np.uint8)


def _drawn(base: Picture, width: int, panel: Panel, colours: Mapping[str, Colour]) -> Picture:
    """The resized image with a panel's labels on it; `width` is the original image's."""
    canvas = base.copy()
    scale = base.shape[1] / width
    thickness = 1 if max(len(panel.masks), len(panel.boxes)) >= _CROWD else 2
    # Small objects come last, so that what lies on a large one stays visible.
    order = sorted(panel.masks, key=lambda id_: int(coco_mask.area(panel.masks[id_])), reverse=True)
    shown = {id_: _shown(panel.masks[id_], base) for id_ in order}
    fill = canvas.copy()
    for id_, (mask, (left, top)) in shown.items():
        fill[top : top + mask.shape[0], left : left + mask.shape[1]][mask.astype(bool)] = colours[id_]
    cv2.addWeighted(fill, _FILL, canvas, 1 - _FILL, 0, dst=canvas)
    for id_, (mask, corner) in shown.items():
        contours, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE, offset=corner)
        cv2.drawContours(canvas, contours, -1, colours[id_], thickness, cv2.LINE_AA)
    for id_, box in panel.boxes.items():
        # Edges to the pixels just inside them.
        x0, y0, x1, y1 = (round(edge * scale) for edge in box)
        corners = (x0, y0), (max(x0, x1 - 1), max(y0, y1 - 1))
        cv2.rectangle(canvas, *corners, colours[id_], thickness)
    for id_, points in panel.points.items():
        for x, y, label in points:
            centre = (round((x + 0.5) * scale), round((y + 0.5) * scale))
            if label == FOREGROUND:
                cv2.circle(canvas, centre, 3 * thickness, _OUTLINE, cv2.FILLED, cv2.LINE_AA)
                cv2.circle(canvas, centre, 3 * thickness - 1, colours[id_], cv2.FILLED, cv2.LINE_AA)
            else:
                cv2.drawMarker(canvas, centre, colours[id_], cv2.MARKER_TILTED_CROSS, 7, 1, cv2.LINE_AA)
    if panel.numbered:
        _write_numbers(canvas, scale, panel, colours)
    return canvas


def _write_numbers(canvas: Picture, scale: float, panel: Panel, colours: Mapping[str, Colour]) -> None:
    """Each object's number at its upper left corner, or beside its first point."""
    ids = dict.fromkeys(id_ for part in _parts(panel) for id_ in part)
    for number, id_ in enumerate(ids, start=1):
        if id_ in panel.boxes:
            x, y = panel.boxes[id_][:2]
        elif id_ in panel.masks:
            x, y = coco_mask.toBbox(panel.masks[id_])[:2].tolist()
        else:
            x, y, _ = panel.points[id_][0]
        place = (round(x * scale) + 3, min(canvas.shape[0] - 3, round(y * scale) + 13))
        for colour, width in ((_OUTLINE, 3), (colours[id_], 1)):
            cv2.putText(canvas, str(number), place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, width, cv2.LINE_AA)


def _shown(rle: Rle, base: Picture) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """A mask at the panel's size, in {0, 1}, cut to its box, and the (x, y) where that lies.

    An object too small for the panel keeps at least a pixel.
    """
    # Decoded masks lie in memory column by column, and OpenCV wants rows: turned over, nothing need be copied.
    mask = coco_mask.decode(rle).T * np.uint8(255)
    shrinks = base.shape[1] < mask.shape[0]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    soft: NDArray[np.uint8] = np.asarray(cv2.resize(mask, base.shape[:2], interpolation=interpolation), np.uint8).T
    hard = soft >= 128
    seen = hard if hard.any() else soft > 0
    window = mask_window(seen)
    if window is None:
        return np.zeros((0, 0), np.uint8), (0, 0)
    rows, columns = window
    return np.array(seen[window], dtype=np.uint8), (columns.start, rows.start)


def _titled(title: str, picture: Picture) -> Picture:
    """A cell: the title on paper above the picture."""
    height, width = picture.shape[:2]
    cell = Image.new("RGB", (max(width, _MIN_CELL_WIDTH), height + _TITLE_HEIGHT), _PAPER)
    cell.paste(Image.fromarray(picture), (0, _TITLE_HEIGHT))
    font = ImageFont.load_default(size=_FONT_SIZE)
    ImageDraw.Draw(cell).text((2, _TITLE_HEIGHT // 2), title, fill=_INK, font=font, anchor="lm")
    return np.array(cell)
