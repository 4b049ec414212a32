"""labelme JSON (Wada, https://github.com/wkentaro/labelme): a JSON file for each image::

{"imagePath": "0001.jpg", "shapes": [
  {"label": "cell", "shape_type": "rectangle", "points": [[10, 20], [60, 80]], "group_id": null},
  {"label": "cell", "shape_type": "point", "points": [[100.5, 120.5]], "group_id": 1},
  {"label": "negative", "shape_type": "point", "points": [[130.5, 120.5]], "group_id": 1}]}
"""

from __future__ import annotations

import base64
import binascii
import io
import math
import re
import reprlib
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from wesam.errors import WesamError
from wesam.labels.assemble import LabelBuilder, Mark, read_file_by_file
from wesam.labels.coco import has_coco_key
from wesam.labels.format import Format, is_json
from wesam.labels.polarity import read_polarity
from wesam.labels.shapes import (
    crop_to_rle,
    ellipse_to_rle,
    finite_floats,
    fit_box,
    fit_point,
    polygons_to_rle,
)
from wesam.untrusted import read_json

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from wesam.labels.folder import ImageFile
    from wesam.labels.label_set import LabelSet

_Pair = tuple[float, float]

_KEY = re.compile(r'"(shapes|imagePath|imageData|imageHeight|imageWidth)"\s*:')


def read_labelme(labels: Path, images: Path) -> LabelSet:
    """Reads labelme JSON files, also those of X-AnyLabeling: rectangles, polygons, points, circles and masks.

    Shapes of one "group_id" and label are one object; points off it ("negative" or "-", see `labels.polarity`) belong
    to the objects of their group_id. "imageData" is not read: the pixels come from the image folder.

    Args:
        labels: the folder of JSON files, or one of them.
        images: the folder of the images. "imagePath" is looked for from the sub-folder that the JSON file has in
            `labels`; where it leads elsewhere, its end is looked for.

    Returns:
        The images found, with their usable instances, and every problem.
    """
    return read_file_by_file(labels, images, ".json", "labelme JSON", _load, _take)


def _load(path: Path) -> dict[str, Any]:
    content = read_json(path, "labelme JSON")
    if not isinstance(content, dict) or not isinstance(content.get("shapes"), list):
        raise WesamError(f"{path}: expected labelme JSON, an object with a list 'shapes', got another JSON value")
    return content


def _take(content: dict[str, Any], name: Path, builder: LabelBuilder) -> None:
    image_path = content.get("imagePath")
    told = len(builder.problems)
    sized = None
    if not isinstance(image_path, str) or not image_path:
        builder.tell("imagePath", f"expected the path of an image, got {reprlib.repr(image_path)}")
    else:
        stated = f"{name.parent.as_posix()}/{image_path}"
        file = builder.claim("imagePath", builder.find_stated, "imagePath", stated, name)
        size = content.get("imageWidth"), content.get("imageHeight")
        sized = None if file is None else builder.attempt("imageWidth", file.of_size, *size)
    if sized is None:
        builder.cost(len(content["shapes"]), told)
    else:
        builder.add(sized, _marks(content["shapes"], sized, builder))


def _marks(shapes: list[Any], file: ImageFile, builder: LabelBuilder) -> list[Mark]:
    marks = []
    for index, shape in enumerate(shapes):
        field = f"shapes[{index}]"
        if not isinstance(shape, dict):
            builder.tell(field, f"expected an object, got {reprlib.repr(shape)}")
            continue
        kind = shape.get("shape_type", "polygon")  # files of 2018 and before have polygons alone
        if not isinstance(kind, str) or kind not in _READERS:
            message = f"expected one of {', '.join(_READERS)}; {reprlib.repr(kind)} is not read"
            builder.tell(f"{field}.shape_type", message, "note")
            builder.cost(1, len(builder.problems) - 1)
            continue
        mark = builder.attempt_object(f"{field}.points", _READERS[kind], shape, field, file)
        if mark is not None:
            marks.append(mark)
    return marks


def _rectangle(shape: dict[str, Any], field: str, file: ImageFile) -> Mark:
    """Two opposite corners, or all four (X-AnyLabeling); a turned box becomes the upright one around it."""
    x, y = zip(*_pairs(shape, 2, 4), strict=True)
    box = fit_box((min(x), min(y), max(x), max(y)), file.width, file.height)
    return Mark(field, _label(shape), box, group=_group(shape))


def _polygon(shape: dict[str, Any], field: str, file: ImageFile) -> Mark:
    corners = [number for pair in _pairs(shape) for number in pair]
    rle = polygons_to_rle([corners], file.width, file.height)
    return Mark(field, _label(shape), rle=rle, group=_group(shape))


def _point(shape: dict[str, Any], field: str, file: ImageFile) -> Mark:
    category, label = read_polarity(_label(shape))
    # labelme measures from the corner of the first pixel, points are counted from its centre.
    points = [(*fit_point(x - 0.5, y - 0.5, file.width, file.height), label) for x, y in _pairs(shape)]
    return Mark(field, category, points=tuple(points), group=_group(shape))


def _circle(shape: dict[str, Any], field: str, file: ImageFile) -> Mark:
    """Its centre, and a point on it."""
    centre, edge = _pairs(shape, 2)
    radius = math.dist(centre, edge)
    rle = ellipse_to_rle(centre, (radius, radius), 0, file.width, file.height)
    return Mark(field, _label(shape), rle=rle, group=_group(shape))


def _mask(shape: dict[str, Any], field: str, file: ImageFile) -> Mark:
    """A PNG of the part of the image from the first point on."""
    (left, top), _ = _pairs(shape, 2)
    crop = _png(shape.get("mask"), file)
    rle = crop_to_rle(crop, round(left), round(top), file.width, file.height)
    return Mark(field, _label(shape), rle=rle, group=_group(shape))


def _png(text: object, file: ImageFile) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """(h, w) of a PNG in base64, no larger than the image."""
    if not isinstance(text, str):
        raise WesamError(f"expected a mask as PNG in base64, got {reprlib.repr(text)}")
    try:
        with Image.open(io.BytesIO(base64.b64decode(text, validate=True)), formats=("PNG",)) as png:
            if png.width > file.width or png.height > file.height:
                raise WesamError(
                    f"expected a mask no larger than the image of {file.width} x {file.height} px, "
                    f"got {png.width} x {png.height}"
                )
            return np.asarray(png.convert("L")) > 0
    except (
        binascii.Error,
        UnidentifiedImageError,
        Image.DecompressionBombError,
        OSError,
        SyntaxError,
        ValueError,
    ) as error:
        if isinstance(error, WesamError):
            raise
        raise WesamError(f"expected a mask as PNG in base64, got {reprlib.repr(text)}") from error


_READERS: dict[str, Callable[[dict[str, Any], str, ImageFile], Mark]] = {
    "rectangle": _rectangle,
    "rotation": _rectangle,
    "polygon": _polygon,
    "point": _point,
    "points": _point,
    "circle": _circle,
    "mask": _mask,
}


def _pairs(shape: dict[str, Any], *counts: int) -> list[_Pair]:
    points = shape.get("points")
    if not isinstance(points, list) or not points or (counts and len(points) not in counts):
        wanted = " or ".join(map(str, counts)) or "some"
        raise WesamError(f"expected a list of {wanted} points [x, y], got {reprlib.repr(points)}")
    pairs = [finite_floats(point, "points as finite numbers [x, y]") for point in points]
    if any(len(pair) != 2 for pair in pairs):
        raise WesamError(f"expected points as finite numbers [x, y], got {reprlib.repr(points)}")
    return [(pair[0], pair[1]) for pair in pairs]


def _label(shape: dict[str, Any]) -> str:
    label = shape.get("label")
    return label if isinstance(label, str) else ""


def _group(shape: dict[str, Any]) -> str | None:
    group = shape.get("group_id")
    return str(group) if isinstance(group, int | str) else None


def _is_file(path: Path, head: str) -> bool:
    other = head.startswith("[") or has_coco_key(head)
    return is_json(path, head) and not other and _KEY.search(head) is not None


LABELME = Format(
    read_labelme,
    "labelme: a folder of JSON files with 'shapes'",
    is_file=_is_file,
    suffixes=(".json",),
    upright=True,
)
