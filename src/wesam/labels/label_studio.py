"""Label Studio's JSON export (https://labelstud.io/guide/export): a list of tasks, one for each image::

    [{"data": {"image": "/data/upload/1/1a2b3c4d-0001.jpg"}, "annotations": [{"result": [
      {"id": "r1", "type": "rectanglelabels", "original_width": 640, "original_height": 480,
       "value": {"x": 10, "y": 20, "width": 30, "height": 5, "rotation": 0, "rectanglelabels": ["cell"]}}]}]}]

Positions and sizes are percentages of the image's width and height.
"""

from __future__ import annotations

import dataclasses
import reprlib
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from wesam.errors import WesamError
from wesam.labels.assemble import LabelBuilder, Mark
from wesam.labels.box_numbers import CORNER
from wesam.labels.brush_rle import decode_brush
from wesam.labels.format import Format, is_json
from wesam.labels.images import is_image_name
from wesam.labels.label_set import LabelSet
from wesam.labels.polarity import read_polarity
from wesam.labels.shapes import ellipse_to_rle, finite_floats, fit_point, fit_rotated_box, mask_to_rle, polygons_to_rle
from wesam.untrusted import read_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from wesam.labels.folder import ImageFile, ImageFolder

_SHAPE_KEYS = frozenset({"x", "y", "points", "rle"})

# What a task may say about an image without drawing anything on it.
_WITHOUT_SHAPE = frozenset({"choices", "datetime", "number", "ranker", "rating", "taxonomy", "textarea", "relation"})


def read_label_studio(labels: Path, images: Path) -> LabelSet:
    """Reads Label Studio's JSON export: rectangles, ellipses, polygons, brush masks and key points.

    Of the annotations of a task the first ground truth counts, else the first that marks anything and was not
    cancelled. A turned rectangle becomes the upright box around it. A key point is an object of its own; if it is drawn
    inside another region (its "parentID"), it belongs to that one. Whether it is on the object or off it is in its
    label (see `labels.polarity`). Of a task with several images each has its own regions, if the images are called as
    their keys in "data".

    Args:
        labels: the JSON file ("JSON", not "JSON-MIN").
        images: the folder of the images. They are found by the end of the task's path or address; the eight digits
            that Label Studio puts before the name of an uploaded file may be there or not.

    Returns:
        The images found, with their usable instances, and every problem.
    """
    try:
        builder = LabelBuilder(labels.name, images)
        tasks = _load(labels)
    except WesamError as error:
        return LabelSet.unusable(labels, error)
    for index, task in enumerate(tasks):
        place = f"[{index}]"
        if not isinstance(task, dict):
            builder.tell(place, f"expected an object, got {reprlib.repr(task)}")
            continue
        regions = _regions(*_results(task.get("annotations"), f"{place}.annotations", builder), builder)
        for field, texts, own in builder.attempt(f"{place}.data", _images, task.get("data"), regions) or ():
            told = len(builder.problems)
            file = builder.claim(f"{place}.data{field}", _find, builder.folder, texts)
            if file is not None:
                builder.add(file, _marks(own, file, builder))
            else:
                builder.cost(sum(bool(region.value.keys() & _SHAPE_KEYS) for region in own.values()), told)
    return builder.build()


def _load(labels: Path) -> list[Any]:
    tasks = read_json(labels, "Label Studio JSON")
    if not isinstance(tasks, list):
        raise WesamError(f"{labels}: expected Label Studio JSON, a list of tasks, got a {type(tasks).__name__}")
    if any(isinstance(task, dict) and "image_id" in task for task in tasks):
        raise WesamError(
            f"{labels}: expected Label Studio JSON, got results in COCO's format, which do not name their images; "
            f"put them as 'annotations' into the COCO file that has the 'images'"
        )
    if tasks and not any(isinstance(task, dict) and "annotations" in task for task in tasks):
        raise WesamError(
            f"{labels}: expected tasks with 'annotations', got none; choose JSON, not JSON-MIN, when exporting"
        )
    return tasks


def _images(data: object, regions: dict[str, _Region]) -> list[tuple[str, list[str], dict[str, _Region]]]:
    """Of each image of a task its field in "data", texts of which one is its path or address, and its regions.

    Whoever set up the project chose the keys of "data", and names of images that may be others ("to_name" of a region).

    Raises:
        WesamError: if there is no text, or there are regions on several images that are not called as their keys.
    """
    texts = {key: text for key, text in data.items() if isinstance(text, str)} if isinstance(data, dict) else {}
    if not texts:
        raise WesamError(f"expected the path or address of an image, got {reprlib.repr(data)}")
    names = list(dict.fromkeys(region.image for region in regions.values() if region.value.keys() & _SHAPE_KEYS))
    if len(names) > 1 and len(texts) > 1:
        if not texts.keys() >= set(names):
            raise WesamError(
                f"expected regions on one image, or their 'to_name' among {', '.join(texts)}, got {reprlib.repr(names)}"
            )
        of_image = {name: {key: one for key, one in regions.items() if one.image == name} for name in names}
        return [(f".{name}", [texts[name]], own) for name, own in of_image.items()]
    return [("", [texts[names[0]]] if names and names[0] in texts else list(texts.values()), regions)]


def _find(folder: ImageFolder, texts: list[str]) -> ImageFile:
    """The image that one of the texts of a task is the path or address of."""
    paths = [path for text in texts for path in _paths(text)]
    # Those that end as images do come first, also in the message.
    paths.sort(key=is_image_name, reverse=True)
    first_error = None
    for find in (folder.find_tail, folder.find_uploaded):
        for path in paths:
            try:
                return find(path)
            except WesamError as error:
                first_error = first_error or error
    raise first_error or WesamError(f"expected the path or address of an image, got {reprlib.repr(texts)}")


def _paths(text: str) -> Iterator[str]:
    """What may be the image's path in a path, or an address such as /data/local-files/?d=site/0001.jpg."""
    try:
        address = urlsplit(text)
        path = parse_qs(address.query).get("d", [unquote(address.path)])[0]
    except ValueError:  # brackets and such
        path = text
    yield path
    yield text


@dataclasses.dataclass
class _Region:
    """One shape; its geometry and its label may come in several results of one id."""

    field: str
    image: str
    value: dict[str, Any] = dataclasses.field(default_factory=dict)
    parent: object = None
    rotation: object = None
    size: tuple[object, object] = (None, None)
    kinds: set[str] = dataclasses.field(default_factory=set)


def _results(annotations: object, place: str, builder: LabelBuilder) -> tuple[list[Any], str]:
    """The results of the annotation that counts, and where they are."""
    if not isinstance(annotations, list):
        builder.tell(place, f"expected a list, got {reprlib.repr(annotations)}")
        return [], place
    usable = [(i, a) for i, a in enumerate(annotations) if isinstance(a, dict) and not a.get("was_cancelled")]
    if not usable:
        return [], place
    usable.sort(key=lambda one: (not one[1].get("ground_truth"), not one[1].get("result")))  # else as they come
    index, annotation = usable[0]
    if len(usable) > 1:
        builder.tell(place, f"{len(usable)} annotations of one image; {place}[{index}] counts", "note")
    place = f"{place}[{index}].result"
    results = annotation.get("result")
    if not isinstance(results, list):
        builder.tell(place, f"expected a list, got {reprlib.repr(results)}")
        return [], place
    return results, place


def _marks(regions: dict[str, _Region], file: ImageFile, builder: LabelBuilder) -> list[Mark]:
    marks: dict[str, Mark] = {}
    for region_id, region in regions.items():
        mark = builder.attempt_object(region.field, _mark, region, file, builder)
        if mark is not None:
            marks[region_id] = mark
        elif not region.value.keys() & _SHAPE_KEYS and not region.kinds <= _WITHOUT_SHAPE:
            kinds = reprlib.repr(sorted(region.kinds))
            message = f"expected a rectangle, ellipse, polygon, brush or key point, got {kinds}"
            builder.tell(region.field, message, "note")
            builder.cost(1, len(builder.problems) - 1)
    parent_of = {key: one.parent for key, one in regions.items() if isinstance(one.parent, str)}
    parents = set(parent_of.values())
    for region_id, mark in marks.items():
        if region_id in parents:
            marks[region_id] = dataclasses.replace(mark, group=region_id)
        parent = parent_of.get(region_id)
        if parent is not None and mark.points:
            # Its label, such as "centre", says where it is, not what it is on.
            category = marks[parent].category if parent in marks else mark.category
            marks[region_id] = dataclasses.replace(mark, group=parent, category=category)
    return list(marks.values())


def _regions(results: list[Any], place: str, builder: LabelBuilder) -> dict[str, _Region]:
    regions: dict[str, _Region] = {}
    for index, result in enumerate(results):
        place_of_result = f"{place}[{index}]"
        if not isinstance(result, dict):
            builder.tell(place_of_result, f"expected an object, got {reprlib.repr(result)}")
            continue
        kind, value = result.get("type"), result.get("value")
        if kind == "relation":
            continue
        if not isinstance(value, dict):
            builder.tell(f"{place_of_result}.value", f"expected an object, got {reprlib.repr(value)}")
            continue
        region_id = result["id"] if isinstance(result.get("id"), str) else f"#{index}"
        region = regions.setdefault(region_id, _Region(f"{place_of_result}.value", str(result.get("to_name"))))
        region.value.update(value)
        region.kinds.add(str(kind))
        region.parent = result.get("parentID") or region.parent
        region.rotation = result.get("image_rotation") or region.rotation
        region.size = (result.get("original_width"), result.get("original_height"))
    return regions


def _mark(region: _Region, file: ImageFile, builder: LabelBuilder) -> Mark | None:
    """None if the region has no shape that is read."""
    value = region.value
    if not value.keys() & _SHAPE_KEYS:
        return None
    file.of_size(*region.size)
    if region.rotation:
        raise WesamError(f"expected a region drawn on the upright image, got image_rotation {region.rotation!r}")
    category = _label(value)
    if "rle" in value:
        return Mark(region.field, category, rle=mask_to_rle(decode_brush(value["rle"], file.width, file.height)))
    if "points" in value:
        return Mark(region.field, category, rle=_polygon(value["points"], file))
    x, y = _pixels(value, "x", "y", file)
    degrees = finite_floats([value.get("rotation") or 0], "rotation as a finite number")[0]
    if "radiusX" in value:
        rle = ellipse_to_rle((x, y), _pixels(value, "radiusX", "radiusY", file), degrees, file.width, file.height)
        return Mark(region.field, category, rle=rle)
    if "height" in value:
        width, height = _pixels(value, "width", "height", file)
        if not degrees:
            builder.box_as_written(CORNER, (x, y, width, height), file)
        box = fit_rotated_box((x, y, x + width, y + height), degrees, (x, y), file.width, file.height)
        return Mark(region.field, category, box)
    category, label = read_polarity(category)
    # Label Studio measures from the corner of the first pixel, points are counted from its centre.
    return Mark(region.field, category, points=((*fit_point(x - 0.5, y - 0.5, file.width, file.height), label),))


def _label(value: dict[str, Any]) -> str:
    """The first name in "rectanglelabels", "labels", ..."""
    for key, names in value.items():
        if key.endswith("labels") and isinstance(names, list) and names and isinstance(names[0], str):
            return names[0]
    return ""


def _pixels(value: dict[str, Any], x: str, y: str, file: ImageFile) -> tuple[float, float]:
    shares = finite_floats([value.get(x), value.get(y)], f"{x} and {y} as percentages")
    return shares[0] / 100 * file.width, shares[1] / 100 * file.height


def _polygon(points: object, file: ImageFile) -> dict[str, Any]:
    expected = "points as pairs of percentages [x, y]"
    if not isinstance(points, list):
        raise WesamError(f"expected {expected}, got {reprlib.repr(points)}")
    pairs = [finite_floats(point, expected) for point in points]
    if any(len(pair) != 2 for pair in pairs):
        raise WesamError(f"expected {expected}, got {reprlib.repr(points)}")
    corners = [
        share / 100 * side for pair in pairs for share, side in zip(pair, (file.width, file.height), strict=True)
    ]
    return polygons_to_rle([corners], file.width, file.height)


LABEL_STUDIO = Format(
    read_label_studio,
    "Label Studio: a JSON list of tasks",
    is_file=lambda path, head: is_json(path, head) and head.startswith("["),
    upright=True,
    percent=True,
)
