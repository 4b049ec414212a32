"""CVAT for images 1.1: one XML file (annotations.xml) for all images::

    <annotations><version>1.1</version>
      <image id="0" name="0001.jpg" width="640" height="480">
        <box label="cell" xtl="10" ytl="20" xbr="60" ybr="80"/>
        <points label="cell" points="100.5,120.5;104.0,130.0"/>
      </image></annotations>

Format: https://docs.cvat.ai/docs/manual/advanced/xml_format/
"""

from __future__ import annotations

import reprlib
from dataclasses import replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from wesam.errors import WesamError
from wesam.labels.assemble import LabelBuilder, Mark
from wesam.labels.format import Format, has_xml_root
from wesam.labels.images import is_image_name
from wesam.labels.label_set import LabelSet
from wesam.labels.polarity import read_polarity
from wesam.labels.shapes import (
    crop_to_rle,
    ellipse_to_rle,
    fit_point,
    fit_rotated_box,
    parse_floats,
    polygons_to_rle,
)
from wesam.untrusted import read_xml

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from xml.etree.ElementTree import Element

    from wesam.labels.folder import ImageFile, ImageFolder


def read_cvat(labels: Path, images: Path) -> LabelSet:
    """Reads an XML file of CVAT for images: boxes, polygons, points, masks and ellipses.

    A turned box becomes the upright box around it. The points of one <points> element are one object's; whether they
    are on it or off it is in their label (see `labels.polarity`). Groups are not read: CVAT does not say whether a
    group is one object or several.

    Args:
        labels: the XML file, or a folder with an annotations.xml in it.
        images: the folder that the names of the images are relative to, or a folder below it.

    Returns:
        The images found, with their usable instances, and every problem.
    """
    path = labels / "annotations.xml" if labels.is_dir() else labels
    try:
        builder = LabelBuilder(path.name, images)
        root = read_xml(path, "annotations", "CVAT XML")
        if root.find("track") is not None:
            raise WesamError(f"{path}: expected 'CVAT for images', got the tracks of 'CVAT for video'; export it anew")
    except WesamError as error:
        return LabelSet.unusable(path, error)
    known = {name.text or "" for name in root.iterfind("meta//label/name")}
    names = [image.get("name", "") for image in root.iterfind("image")]
    builder.folder.expect(names)
    builder.folder.prefer_own(names)
    for index, image in enumerate(root.findall("image")):
        field, told = f"image[{index}]", len(builder.problems)
        file = builder.claim(f"{field}.name", _find, builder.folder, image.get("name", ""))
        size = builder.attempt(f"{field}.width", _numbers, image, ("width", "height"), "0")
        sized = None if file is None or size is None else builder.attempt(f"{field}.width", file.of_size, *size)
        if sized is None:
            builder.cost(sum(element.tag in _READERS for element in image), told)
        else:
            builder.add(sized, _marks(image, field, sized, known, builder))
    return builder.build()


def _find(folder: ImageFolder, name: str) -> ImageFile:
    """Frames of a video have names without suffix, in a folder that they may not lie in here."""
    if is_image_name(name):
        return folder.find_moved(name)
    try:
        return folder.find_stem(name)
    except WesamError:
        path = PurePosixPath(name)
        return replace(folder.find_stem(path.name), elsewhere=path.parent.as_posix())


def _marks(image: Element, place: str, file: ImageFile, known: set[str], builder: LabelBuilder) -> list[Mark]:
    marks = []
    for index, element in enumerate(image):
        field = f"{place}.{element.tag}[{index}]"
        if element.tag not in _READERS:
            if element.tag != "tag":  # a class of the whole image
                readable = ", ".join(_READERS)
                builder.tell(field, f"expected one of {readable}; <{element.tag}> is not read", "note")
                builder.cost(1, len(builder.problems) - 1)
            continue
        label = element.get("label", "")
        if known and label not in known:
            builder.tell(f"{field}.label", f"expected a label of <meta>, got {reprlib.repr(label)}", "note")
        mark = builder.attempt_object(field, _READERS[element.tag], element, field, file)
        if mark is not None:
            marks.append(mark)
    return marks


def _box(element: Element, field: str, file: ImageFile) -> Mark:
    x0, y0, x1, y1 = _numbers(element, ("xtl", "ytl", "xbr", "ybr"))
    (degrees,) = _numbers(element, ("rotation",), "0")
    centre = ((x0 + x1) / 2, (y0 + y1) / 2)
    box = fit_rotated_box((x0, y0, x1, y1), degrees, centre, file.width, file.height)
    return Mark(field, element.get("label", ""), box)


def _polygon(element: Element, field: str, file: ImageFile) -> Mark:
    corners = [number for pair in _pairs(element) for number in pair]
    return Mark(field, element.get("label", ""), rle=polygons_to_rle([corners], file.width, file.height))


def _points(element: Element, field: str, file: ImageFile) -> Mark:
    category, label = read_polarity(element.get("label", ""))
    # CVAT measures from the corner of the first pixel, points are counted from its centre.
    points = [(*fit_point(x - 0.5, y - 0.5, file.width, file.height), label) for x, y in _pairs(element)]
    return Mark(field, category, points=tuple(points))


def _ellipse(element: Element, field: str, file: ImageFile) -> Mark:
    x, y, radius_x, radius_y = _numbers(element, ("cx", "cy", "rx", "ry"))
    (degrees,) = _numbers(element, ("rotation",), "0")
    rle = ellipse_to_rle((x, y), (radius_x, radius_y), degrees, file.width, file.height)
    return Mark(field, element.get("label", ""), rle=rle)


def _mask(element: Element, field: str, file: ImageFile) -> Mark:
    return Mark(field, element.get("label", ""), rle=_rle(element, file))


def _rle(element: Element, file: ImageFile) -> dict[str, Any]:
    """Run lengths along the rows of a part of the image; the first run is of zeros."""
    box = _numbers(element, ("left", "top", "width", "height"))
    if any(number != int(number) for number in box) or not (0 < box[2] <= file.width and 0 < box[3] <= file.height):
        raise WesamError(
            "expected whole numbers left, top, width and height of a part of the image of "
            f"{file.width} x {file.height} px, got {reprlib.repr(box)}"
        )
    left, top, width, height = map(int, box)
    text = element.get("rle", "")
    numbers = parse_floats(text.split(","), "rle as whole numbers with commas between them")
    if any(number != int(number) or number < 0 for number in numbers) or sum(numbers) != width * height:
        raise WesamError(f"expected rle that adds up to {width} x {height} pixels, got {reprlib.repr(text)}")
    runs = np.array(numbers, dtype=np.int64)
    crop = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(height, width)
    return crop_to_rle(crop, left, top, file.width, file.height)


_READERS: dict[str, Callable[[Element, str, ImageFile], Mark]] = {
    "box": _box,
    "polygon": _polygon,
    "points": _points,
    "mask": _mask,
    "ellipse": _ellipse,
}


def _numbers(element: Element, names: tuple[str, ...], default: str | None = None) -> list[float]:
    """Attributes of an element as finite numbers."""
    texts = [element.get(name, default) for name in names]
    missing = [name for name, text in zip(names, texts, strict=True) if text is None]
    if missing:
        raise WesamError(f"expected {', '.join(names)}, got no {' and no '.join(missing)}")
    return parse_floats([text or "" for text in texts], f"finite numbers {', '.join(names)}")


def _pairs(element: Element) -> list[tuple[float, float]]:
    expected = "points as finite numbers x,y;x,y;..."
    pairs = [parse_floats(pair.split(","), expected) for pair in element.get("points", "").split(";")]
    if any(len(pair) != 2 for pair in pairs):
        raise WesamError(f"expected {expected}, got {reprlib.repr(element.get('points'))}")
    return [(pair[0], pair[1]) for pair in pairs]


def _is_file(path: Path, head: str) -> bool:
    return has_xml_root(path, head, "annotations")


CVAT = Format(
    read_cvat,
    "CVAT for images: an XML file with the root <annotations>",
    is_file=_is_file,
    suffixes=(".xml",),
    is_folder=lambda folder, file, head: _is_file(file, head) and file == folder / "annotations.xml",
    upright=True,
)
