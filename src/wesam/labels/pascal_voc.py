"""Pascal VOC XML (Everingham et al. 2010): an XML file for each image, as LabelImg and many exports write it::

<annotation>
  <filename>0001.jpg</filename>
  <object><name>cell</name>
    <bndbox><xmin>10</xmin><ymin>20</ymin><xmax>60</xmax><ymax>80</ymax></bndbox></object>
</annotation>
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from wesam.errors import WesamError
from wesam.labels.assemble import LabelBuilder, Mark, read_file_by_file
from wesam.labels.box_numbers import EDGES
from wesam.labels.format import Format, has_xml_root
from wesam.labels.images import is_image_name
from wesam.labels.rotation import rotation_of_xml
from wesam.labels.shapes import fit_rotated_box, parse_floats
from wesam.untrusted import read_xml

if TYPE_CHECKING:
    from pathlib import Path
    from xml.etree.ElementTree import Element

    from wesam.labels.folder import ImageFile
    from wesam.labels.label_set import LabelSet

_EDGES = ("xmin", "ymin", "xmax", "ymax")


def read_voc(labels: Path, images: Path) -> LabelSet:
    """Reads Pascal VOC XML files.

    VOC counts pixels from 1 and its last ones belong to the box, so a box of xmin 1 and xmax 10 is 10 pixels wide.
    The boxes of tools that count from 0 become one pixel larger at the left and the top. A turned box (CVAT's attribute
    "rotation", roLabelImg's <robndbox>) becomes the upright box around it.

    Args:
        labels: the folder of XML files, or one of them.
        images: the folder of the images. <filename> is looked for in the sub-folder that the XML file has in
            `labels`, then at the top; without one, or one without suffix, the image has the name of the XML file.

    Returns:
        The images found, with their usable instances, and every problem.
    """
    return read_file_by_file(labels, images, ".xml", "Pascal VOC XML", _load, _take)


def _load(path: Path) -> Element:
    return read_xml(path, "annotation", "Pascal VOC XML")


def _take(root: Element, name: Path, builder: LabelBuilder) -> None:
    told = len(builder.problems)
    image_name = (root.findtext("filename") or "").strip()
    if is_image_name(image_name):
        stated = (name.parent / image_name).as_posix()
        file = builder.claim("filename", builder.find_stated, "filename", stated, name)
    else:
        file = builder.claim("filename", builder.folder.find_stem, name.with_suffix("").as_posix())
    size = builder.attempt("size", _size, root)
    sized = None if file is None or size is None else builder.attempt("size", file.of_size, *size)
    if sized is None:
        builder.cost(len(root.findall("object")), told)
    else:
        builder.add(sized, _marks(root, sized, builder))


def _marks(root: Element, file: ImageFile, builder: LabelBuilder) -> list[Mark]:
    marks = []
    for index, element in enumerate(root.findall("object")):
        field = f"object[{index}]"
        name = (element.findtext("name") or "").strip()
        if not name:
            builder.tell(f"{field}.name", "expected the name of a class, got none", "note")
        box = builder.attempt_object(f"{field}.bndbox", _box, element, file, builder)
        if box is not None:
            marks.append(Mark(field, name, box))
    return marks


def _box(element: Element, file: ImageFile, builder: LabelBuilder) -> tuple[float, float, float, float]:
    if element.find("robndbox") is not None:
        return _turned_box(element, file)
    texts = [element.findtext(f"bndbox/{edge}") for edge in _EDGES]
    missing = [edge for edge, text in zip(_EDGES, texts, strict=True) if text is None]
    if missing:
        raise WesamError(f"expected xmin, ymin, xmax and ymax, got no {' and no '.join(missing)}")
    x0, y0, x1, y1 = parse_floats([text or "" for text in texts], "finite numbers xmin, ymin, xmax, ymax")
    degrees = rotation_of_xml(element)
    if not degrees:
        builder.box_as_written(EDGES, (x0, y0, x1, y1), file)
    # CVAT counts from 0, and writes turned boxes alone with their angle.
    first = 0 if degrees else 1
    box = (x0 - first, y0 - first, x1, y1)
    return fit_rotated_box(box, degrees, ((x0 + x1) / 2, (y0 + y1) / 2), file.width, file.height)


def _turned_box(element: Element, file: ImageFile) -> tuple[float, float, float, float]:
    """Centre, size, and angle in radians, clockwise (roLabelImg)."""
    names = ("cx", "cy", "w", "h", "angle")
    texts = [element.findtext(f"robndbox/{name}") or "" for name in names]
    x, y, width, height, radians = parse_floats(texts, f"finite numbers {', '.join(names)}")
    box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return fit_rotated_box(box, math.degrees(radians), (x, y), file.width, file.height)


def _size(root: Element) -> tuple[float, float]:
    """Width and height as the file states them; 0 where it does not."""
    texts = [root.findtext(f"size/{side}") or "0" for side in ("width", "height")]
    width, height = parse_floats(texts, "finite numbers width and height")
    return width, height


VOC = Format(
    read_voc,
    "Pascal VOC: a folder of XML files with the root <annotation>",
    is_file=lambda path, head: has_xml_root(path, head, "annotation"),
    suffixes=(".xml",),
)
