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
from wesam.labels.label_set import LabelSet
from wesam.labels.shapes import fit_box, fit_point, parse_floats
from wesam.untrusted import read_text

if TYPE_CHECKING:
    from pathlib import Path

    from wesam.labels.folder import ImageFile

_BOX = ("x0", "y0", "x1", "y1")
_POINT = ("x", "y")
_CORNER_AND_SIZE = ("left", "top", "width", "height")
_OTHER_NAMES = {
    **{"filename": "image", "file_name": "image", "xmin": "x0", "ymin": "y0", "xmax": "x1", "ymax": "y1"},
    **{"label": "class", "category": "class"},
}
# Tables with empty cells come back from pandas with "1.0" in them.
_TRUTH = {"1": 1, "1.0": 1, "true": 1, "0": 0, "0.0": 0, "false": 0}
_READ = {"image", *_BOX, *_POINT, *_CORNER_AND_SIZE, "positive", "object", "class"}


def read_csv(labels: Path, images: Path) -> LabelSet:
    """Reads a CSV file of boxes, points, or both.

    * image: path in the image folder, or one that ends with it. Also "filename", "file_name".
    * x0, y0, x1, y1: edges of a box in pixels, measured from the image's upper left corner. Also "xmin", ...
    * left, top, width, height: the same box by its upper left corner and size.
    * x, y: pixel indices of a point, counted from 0. Beside "width" or "height" they are refused, as they might be a
      corner of a box, its centre, or a point in an image of that size.
    * positive: 1 (or nothing) for a point on the object, 0 for one off it.
    * object: rows of an image that have the same are one object; without it each row is one. Points off an object
      without it count for every object of the image that is given by points.
    * class: its name. Also "label", "category".

    Other columns are not read, and noted.

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
    unread = [name for name in columns if name and name not in _READ]
    if unread:
        builder.tell("line 1", f"columns that are not read: {', '.join(unread)}", "note")
    builder.folder.prefer_own(dict.fromkeys(row.get("image", "") for _, row in rows))
    files: dict[str, ImageFile | None] = {}
    marks: dict[str, list[Mark]] = {}
    lost = 0
    for line, row in rows:
        field, name = f"line {line}", row.get("image", "")
        if name not in files:
            file = builder.attempt_object(f"{field}, image", builder.folder.find_moved, name)
            files[name] = file
            if file is not None:
                marks.setdefault(file.id, [])
        elif files[name] is None:
            lost += 1
        if (file := files[name]) is not None:
            mark = builder.attempt_object(field, _mark, row, field, file)
            if mark is not None:
                marks[file.id].append(mark)
    if lost:
        builder.tell("", f"{lost} more rows go with the images that are left out", "note")
        builder.cost(lost, len(builder.problems) - 1)
    by_id = {file.id: file for file in files.values() if file is not None}
    for image_id, own in marks.items():
        builder.add(by_id[image_id], own)
    return builder.build()


def _rows(labels: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """The columns; and line number and cells by column. Rows without any content are left out."""
    text = read_text(labels, "CSV")
    header = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=header.count))
    rows = []
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        columns = [_OTHER_NAMES.get(name, name) for name in names]
        boxes, corners, points = (set(kind) <= set(columns) for kind in (_BOX, _CORNER_AND_SIZE, _POINT))
        if "image" not in columns or not (boxes or corners or points):
            raise WesamError(
                f"{labels}: line 1: expected a header with image and x0, y0, x1, y1 (or left, top, width, height) or "
                f"x, y, got {reprlib.repr(header)}"
            )
        if points and not boxes and not corners and {"width", "height"} & set(columns):
            raise WesamError(
                f"{labels}: line 1: expected left, top, width, height for boxes or x, y for points, got x, y beside "
                f"width or height; rename the columns (a box whose x, y is its centre: give x0, y0, x1, y1)"
            )
        for cells in reader:
            row: dict[str, str] = {}
            for column, cell in zip(columns, cells, strict=False):
                row[column] = row.get(column) or cell.strip()  # "label" and "class" are one, and one may be empty
            if any(row.values()):
                rows.append((reader.line_num, row))
    except csv.Error as error:
        raise WesamError(f"{labels}: line {reader.line_num}: expected CSV, got {error}") from error
    return columns, rows


def _mark(row: dict[str, str], field: str, file: ImageFile) -> Mark:
    box = point = None
    if any(row.get(name) for name in _BOX):
        x0, y0, x1, y1 = parse_floats([row.get(name, "") for name in _BOX], "finite numbers x0, y0, x1, y1")
        box = fit_box((x0, y0, x1, y1), file.width, file.height)
    elif any(row.get(name) for name in _CORNER_AND_SIZE[:2]):
        left, top, width, height = parse_floats(
            [row.get(name, "") for name in _CORNER_AND_SIZE], "finite numbers left, top, width, height"
        )
        box = fit_box((left, top, left + width, top + height), file.width, file.height)
    if any(row.get(name) for name in _POINT):
        x, y = parse_floats([row.get(name, "") for name in _POINT], "finite numbers x, y")
        positive = _TRUTH.get((row.get("positive") or "1").lower())
        if positive is None:
            raise WesamError(f"expected positive as 1 or 0, got {reprlib.repr(row['positive'])}")
        point = (*fit_point(x, y, file.width, file.height), positive)
    if box is None and point is None:
        raise WesamError("expected a box (x0, y0, x1, y1) or a point (x, y), got neither")
    return Mark(field, row.get("class", ""), box, (point,) if point else (), group=row.get("object") or None)
