"""A table of boxes or points, for people without a labelling tool. A row is a box, a point, or both::

    image,x0,y0,x1,y1,x,y,positive,object,class
    0001.jpg,10,20,60,80,,,,,cell
    0001.jpg,,,,,100,120,1,a,cell
    0001.jpg,,,,,130,120,0,a,

"image" and four of the box or two of the point are all that is needed. Separated by commas, semicolons or tabs.
"""

from __future__ import annotations

import csv
import io
import reprlib
from typing import TYPE_CHECKING

from wesam.errors import WesamError
from wesam.labels.assemble import LabelBuilder, Mark
from wesam.labels.box_numbers import CENTRE, CORNER, EDGES
from wesam.labels.csv_columns import Columns, find_columns
from wesam.labels.format import Format
from wesam.labels.label_set import LabelSet
from wesam.labels.polarity import read_polarity
from wesam.labels.shapes import fit_box, fit_point, parse_floats
from wesam.types import FOREGROUND
from wesam.untrusted import read_text

if TYPE_CHECKING:
    from pathlib import Path

    from wesam.labels.folder import ImageFile

# Tables with empty cells come back from pandas with "1.0" in them.
_TRUTH = {"1": 1, "1.0": 1, "true": 1, "0": 0, "0.0": 0, "false": 0}


def read_csv(labels: Path, images: Path) -> LabelSet:
    """Reads a CSV file of boxes, points, or both.

    * image: path in the image folder, or one that ends with it. Also "filename", "file_name", ...
    * x0, y0, x1, y1: edges of a box in pixels, measured from the image's upper left corner. Also "xmin", ..., or x1,
      y1, x2, y2.
    * left, top, width, height: the same box by its upper left corner and size. Also x, y, w, h; and cx, cy, w, h by its
      centre.
    * x, y: pixel indices of a point, counted from 0. Beside "width" or "height" they are refused, as they might be a
      corner of a box, its centre, or a point in an image of that size.
    * width, height beside a box's edges, image_width, image_height: size of the image, which must be that of the file.
    * positive: 1 (or nothing) for a point on the object, 0 for one off it. So is "label", beside points alone, if it is
      1 or 0 in all rows (SAM's); else a label such as "negative" decides (see `labels.polarity`).
    * object: rows of an image that have the same are one object; without it each row is one. Points off an object
      without it count for every object of the image that is given by points.
    * class: its name. Also "label", "category".

    Other columns are not read, and noted; those that look like coordinates are refused.

    Args:
        labels: the file, in UTF-8, with a header.
        images: the folder of the images.

    Returns:
        The images found, with their usable instances, and every problem.
    """
    try:
        builder = LabelBuilder(labels.name, images)
        columns, rows = _rows(labels)
    except WesamError as error:
        return LabelSet.unusable(labels, error)
    if columns.unread:
        builder.tell("line 1", f"columns that are not read: {', '.join(columns.unread)}", "note")
    if columns.sides_by_label:
        builder.tell("line 1", "label is 1 or 0 in all rows, read as on and off an object", "note")
    builder.folder.expect(row[columns.image] for _, row in rows)
    builder.folder.prefer_own(dict.fromkeys(row[columns.image] for _, row in rows))
    files: dict[str, ImageFile | None] = {}
    marks: dict[str, list[Mark]] = {}
    lost = 0
    for line, row in rows:
        field, name = f"line {line}", row[columns.image]
        if name not in files:
            file = builder.attempt_object(f"{field}, image", builder.folder.find_moved, name)
            if file is not None:
                builder.found(file)
                file = builder.attempt_object(f"{field}, image", _of_size, file, row, columns)
            files[name] = file
            if file is not None:
                marks.setdefault(file.id, [])
        elif files[name] is None:
            lost += 1
        if (file := files[name]) is not None:
            mark = builder.attempt_object(field, _mark, row, columns, field, file, builder)
            if mark is not None:
                marks[file.id].append(mark)
    if lost:
        builder.tell("", f"{lost} more rows go with the images that are left out", "note")
        builder.cost(lost, len(builder.problems) - 1)
    by_id = {file.id: file for file in files.values() if file is not None}
    for image_id, own in marks.items():
        builder.add(by_id[image_id], own)
    return builder.build()


def _rows(labels: Path) -> tuple[Columns, list[tuple[int, list[str]]]]:
    """The columns; and line number and cells of each row, without rows that have no content."""
    text = read_text(labels, "CSV")
    header = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=header.count))
    try:
        names = next(reader, [])
        rows = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        raise WesamError(f"{labels}: line {reader.line_num}: expected CSV, got {error}") from error
    rows = [(line, cells + [""] * (len(names) - len(cells))) for line, cells in rows if any(cells[: len(names)])]
    try:
        return find_columns(names, (cells for _, cells in rows)), rows
    except WesamError as error:
        raise WesamError(f"{labels}: line 1: {error}") from error


def _of_size(file: ImageFile, row: list[str], columns: Columns) -> ImageFile:
    """The image of a row, of the size that it states."""
    width, height = _cells(row, columns.size) or ["", ""]
    try:
        return file.of_size(width, height)
    except WesamError:
        box = _box(row, columns) if any(_cells(row, columns.box)) else None
        if box is not None and _is_close(width, box[2] - box[0]) and _is_close(height, box[3] - box[1]):
            return file  # some tables have the size of the box beside its edges
        raise


def _is_close(text: str, number: float) -> bool:
    """Whether a text is that number, whose edges a tool may have rounded."""
    return abs(parse_floats([text], "a number")[0] - number) <= 1


def _mark(row: list[str], columns: Columns, field: str, file: ImageFile, builder: LabelBuilder) -> Mark:
    box = point = None
    category = next((cell for cell in _cells(row, columns.category) if cell), "")
    if any(_cells(row, columns.box)):
        _refuse_turned(_cells(row, columns.angle))
        reading = EDGES if columns.edges else CORNER if columns.corner else CENTRE
        builder.box_as_written(reading, _numbers(row, columns), file)
        box = fit_box(_box(row, columns), file.width, file.height)
    if any(_cells(row, columns.point)):
        x, y = parse_floats(_cells(row, columns.point), "finite numbers x, y")
        if columns.positive:
            positive = _side(row[columns.positive[0]])
        elif box is None:
            category, positive = read_polarity(category)
        else:
            positive = FOREGROUND
        point = (*fit_point(x, y, file.width, file.height), positive)
    if box is None and point is None:
        raise WesamError("expected a box (x0, y0, x1, y1) or a point (x, y), got neither")
    group = next((cell for cell in _cells(row, columns.object) if cell), None)
    return Mark(field, category, box, (point,) if point else (), group=group)


def _numbers(row: list[str], columns: Columns) -> list[float]:
    """The four of a box, as its columns have them."""
    kind = (
        "x0, y0, x1, y1" if columns.edges else "left, top, width, height" if columns.corner else "cx, cy, width, height"
    )
    return parse_floats(_cells(row, columns.box), f"finite numbers {kind}")


def _box(row: list[str], columns: Columns) -> tuple[float, float, float, float]:
    """Its edges in pixels."""
    a, b, c, d = _numbers(row, columns)
    if columns.edges:
        return a, b, c, d
    return (a, b, a + c, b + d) if columns.corner else (a - c / 2, b - d / 2, a + c / 2, b + d / 2)


def _cells(row: list[str], indices: tuple[int, ...]) -> list[str]:
    return [row[index] for index in indices]


def _side(text: str) -> int:
    positive = _TRUTH.get((text or "1").lower())
    if positive is None:
        raise WesamError(f"expected positive as 1 or 0, got {reprlib.repr(text)}")
    return positive


def _refuse_turned(angles: list[str]) -> None:
    """A box that is turned has no place in a table."""
    for angle in angles:
        if angle and parse_floats([angle], "an angle as a finite number")[0]:
            raise WesamError(
                f"expected an upright box, got one with an angle of {angle}; give the upright one around it"
            )


CSV = Format(
    read_csv,
    "CSV: a .csv file",
    is_file=lambda path, head: path.suffix.lower() in (".csv", ".tsv"),
)
