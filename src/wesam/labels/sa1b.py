"""SA-1B (Kirillov et al. 2023, arXiv 2304.02643): a JSON file for each image::

{"image": {"image_id": 1, "width": 1500, "height": 2250, "file_name": "sa_1.jpg"},
 "annotations": [{"id": 1, "bbox": [x, y, width, height], "segmentation": {"size": [2250, 1500], "counts": "..."},
                  "point_coords": [[x, y]], "predicted_iou": 0.9, "stability_score": 0.97}]}
"""

from __future__ import annotations

import re
import reprlib
from typing import TYPE_CHECKING, Any

from wesam.errors import WesamError
from wesam.labels.assemble import LabelBuilder, Mark, read_file_by_file
from wesam.labels.box_numbers import CORNER, numbers_of_json
from wesam.labels.coco import read_box, read_segmentation
from wesam.labels.format import Format, is_json
from wesam.untrusted import read_json

if TYPE_CHECKING:
    from pathlib import Path

    from wesam.labels.folder import ImageFile
    from wesam.labels.label_set import LabelSet

_KEY = re.compile(r'"image"\s*:\s*\{')


def read_sa1b(labels: Path, images: Path) -> LabelSet:
    """Reads the JSON files of SA-1B: a mask and its box for each object.

    The point that a model was prompted with ("point_coords") is not read, and masks have no class.

    Args:
        labels: the folder of JSON files, or one of them.
        images: the folder of the images. "file_name" is looked for in the sub-folder that the JSON file has in
            `labels`, then at the top.

    Returns:
        The images found, with their usable instances, and every problem.
    """
    return read_file_by_file(labels, images, ".json", "SA-1B JSON", _load, _take)


def _load(path: Path) -> dict[str, Any]:
    content = read_json(path, "SA-1B JSON")
    whole = isinstance(content, dict) and isinstance(content.get("image"), dict)
    if not whole or not isinstance(content.get("annotations"), list):
        raise WesamError(
            f"{path}: expected SA-1B JSON, an object with 'image' and a list 'annotations', got another JSON value"
        )
    return dict(content)


def _take(content: dict[str, Any], name: Path, builder: LabelBuilder) -> None:
    told = len(builder.problems)
    image, annotations = content["image"], content["annotations"]
    file = builder.attempt("image.file_name", _name, image)
    sized = None
    if file is not None:
        found = builder.claim("image.file_name", builder.folder.find_tail, (name.parent / file).as_posix())
        if found is not None:
            sized = builder.attempt("image.width", found.of_size, image.get("width"), image.get("height"))
    if sized is None:
        builder.cost(len(annotations), told)
        return
    marks = []
    for index, annotation in enumerate(annotations):
        field = f"annotations[{index}]"
        mark = builder.attempt_object(field, _mark, annotation, field, sized)
        if isinstance(annotation, dict) and not annotation.get("segmentation"):
            for box in numbers_of_json(annotation, sized):
                builder.box_as_written(CORNER, box.numbers, sized, box.area)
        if mark is not None:
            marks.append(mark)
    builder.add(sized, marks)


def _name(image: dict[str, Any]) -> str:
    name = image.get("file_name")
    if not isinstance(name, str) or not name:
        raise WesamError(f"expected the name of an image file, got {reprlib.repr(name)}")
    return name


def _mark(annotation: object, field: str, file: ImageFile) -> Mark:
    if not isinstance(annotation, dict):
        raise WesamError(f"expected an object, got {reprlib.repr(annotation)}")
    box, rle = read_box(annotation, file), read_segmentation(annotation.get("segmentation"), file)
    if box is None and rle is None:
        raise WesamError("expected bbox or segmentation, got neither")
    return Mark(field, box=box, rle=rle)


def _is_file(path: Path, head: str) -> bool:
    other = head.startswith("[") or '"images"' in head or '"shapes"' in head
    return is_json(path, head) and not other and _KEY.search(head) is not None


SA1B = Format(
    read_sa1b,
    "SA-1B: a folder of JSON files with 'image' and 'annotations'",
    is_file=_is_file,
    suffixes=(".json",),
)
