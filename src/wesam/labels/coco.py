"""COCO JSON: the format of MS COCO (Lin et al. 2014, arXiv 1405.0312), which most labelling tools export.

The least that is read::

    {"images": [{"id": 1, "file_name": "a.png"}],
     "annotations": [{"image_id": 1, "bbox": [x, y, width, height]}]}

An annotation may carry "segmentation" (polygons, or run-length encoding) or "keypoints" beside its box, or instead.
"""

from __future__ import annotations

import re
import reprlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard

from wesam.errors import WesamError
from wesam.labels.assemble import with_new
from wesam.labels.box_numbers import CORNER, BoxNumbers, doubtful_reading, numbers_of_json
from wesam.labels.files import list_files
from wesam.labels.folder import ImageFile, ImageFolder
from wesam.labels.format import Format, is_json
from wesam.labels.label_set import LabelSet
from wesam.labels.polarity import read_polarity
from wesam.labels.problems import ProblemLog
from wesam.labels.rotation import rotation_of_json
from wesam.labels.shapes import (
    box_iou,
    finite_floats,
    fit_point,
    fit_rle,
    fit_rotated_box,
    polygons_to_rle,
)
from wesam.labels.write_coco import OWN
from wesam.masks import mask_box
from wesam.types import Instance, Sample
from wesam.untrusted import read_json, stay_inside

if TYPE_CHECKING:
    from pathlib import Path

_TRIANGLE = 6  # numbers of the smallest polygon

# Not "categories": the notes.json that Label Studio adds to YOLO labels has them too.
_KEY = re.compile(r'"(images|annotations)"\s*:')

_Id = int | float | str
_Box = tuple[float, float, float, float]
_Points = tuple[tuple[float, float, int], ...]


@dataclass(frozen=True)
class _Category:
    name: str
    point_names: tuple[str, ...]


def read_coco(labels: Path, images: Path) -> LabelSet:
    """Reads a COCO JSON file.

    Sizes come from the image files, upright by their EXIF orientation. Crowd regions (``iscrowd``) are left out, but
    CVAT's masks are not. A box or segmentation that cannot be read costs the other nothing. A box that is turned by the
    attribute "rotation" (CVAT, Datumaro) becomes the upright box around it. Ids may be numbers or text; annotations
    without one are numbered, and those whose id another has are used as well. An image may be listed under several ids;
    but where one image id stands for two files, neither is used.

    An annotation with a "score" is what a network guessed, as `wesam prompts` and `wesam predict` write it.

    Keypoints of visibility 1 or 2 are points on the object. Those that the category's "keypoints" call "negative",
    "negative 2", ... (see `labels.polarity`) are points off it.

    Args:
        labels: the JSON file, or a folder with but one in it.
        images: the folder that "file_name" is relative to, or where the file of that name was moved to.

    Returns:
        The images found, with their usable instances, and every problem.
    """
    return _CocoReader(labels.name).read(labels, images)


class _CocoReader(ProblemLog):
    """Collects problems while it reads one file."""

    def read(self, labels: Path, images: Path) -> LabelSet:
        try:
            labels = _file(labels)
            self.file = labels.name
            coco = _load(labels)
            folder = ImageFolder(images)
        except WesamError as error:
            return LabelSet.unusable(labels, error)
        files, named = self.images(coco["images"], folder)
        instances = self.annotations(coco["annotations"], files, _categories(coco.get("categories")))
        found: dict[str, Sample] = {}
        for image_id, file in files.items():
            if file is not None:
                before = found[file.id].instances if file.id in found else ()
                both = with_new(before, instances[image_id])
                found[file.id] = Sample(file.id, file.path, file.width, file.height, both)
        sized = frozenset(file.id for file in files.values() if file is not None and file.sized)
        left_out = frozenset(named - set(found))
        return LabelSet(tuple(found.values()), tuple(self.problems), left_out, sized, _is_own(coco))

    def images(self, entries: list[Any], folder: ImageFolder) -> tuple[dict[_Id, ImageFile | None], set[str]]:
        """The file behind each image id, None behind an id whose entry is unusable; and the ids of all files found."""
        files: dict[_Id, ImageFile | None] = {}
        index_of_id: dict[_Id, int] = {}
        index_of_file: dict[str, int] = {}
        named: set[str] = set()
        names = [entry.get("file_name") for entry in entries if isinstance(entry, dict)]
        texts = [name for name in names if isinstance(name, str)]
        folder.expect(texts)
        folder.prefer_own(texts)
        for index, entry in enumerate(entries):
            field = f"images[{index}]"
            if not isinstance(entry, dict):
                self.tell(field, f"expected an object, got {reprlib.repr(entry)}")
                continue
            image_id = self.attempt(f"{field}.id", _id, entry.get("id"))
            file = self.attempt(f"{field}.file_name", _find, folder, entry)
            if file is not None:
                named.add(file.id)
            if image_id is None:
                continue
            if image_id in index_of_id:
                first = index_of_id[image_id]
                message = f"expected a new id, got {image_id!r} of images[{first}] again"
                if entry.get("file_name") == entries[first].get("file_name"):
                    self.tell(f"{field}.id", message, "note")
                else:
                    message += "; its annotations cannot be told apart, so both images are left out"
                    self.tell(f"{field}.id", message)
                    files[image_id] = None
                continue
            index_of_id[image_id] = index
            if file is not None and file.id in index_of_file:
                first = index_of_file[file.id]
                message = f"expected a new file, got {file.id!r} of images[{first}] again"
                self.tell(f"{field}.file_name", f"{message}; the annotations of both are used, equal ones once", "note")
            if file is not None:
                index_of_file.setdefault(file.id, index)
                file = self.attempt(f"{field}.width", file.of_size, entry.get("width"), entry.get("height"))
            files[image_id] = file
        return files, named

    def annotations(
        self, entries: list[Any], files: dict[_Id, ImageFile | None], categories: dict[_Id, _Category]
    ) -> dict[_Id, list[Instance]]:
        """The usable instances of each image id."""
        instances: dict[_Id, list[Instance]] = {image_id: [] for image_id in files}
        names: set[str] = set()
        boxes: list[BoxNumbers] = []
        crowds = lost = unknown = repeated = 0
        for index, entry in enumerate(entries):
            field = f"annotations[{index}]"
            if not isinstance(entry, dict):
                self.tell(field, f"expected an object, got {reprlib.repr(entry)}")
                continue
            if _is_crowd(entry):
                crowds += 1
                continue
            told = len(self.problems)
            name = self.attempt(f"{field}.id", _name, entry.get("id"), index)
            if name in names:
                repeated += 1
                name = f"{name}#{index}"
            names.add(name or "")
            image_id = self.attempt(f"{field}.image_id", _image_id, entry.get("image_id"), files)
            file = None if image_id is None else files[image_id]
            box, rle = self.box_and_mask(entry, field, file)
            boxes += numbers_of_json(entry, file) if file is not None and rle is None else ()
            category_id = entry.get("category_id")
            category = categories.get(category_id) if _is_id(category_id) else None
            unknown += category is None and category_id is not None and bool(categories)
            point_names = category.point_names if category else ()
            points = self.attempt(f"{field}.keypoints", _points, entry.get("keypoints"), point_names, file)
            if any(problem.severity == "skip" for problem in self.problems[told:]) or name is None or image_id is None:
                self.cost(1, told)
                continue
            if file is None:
                lost += 1
            elif box is None and rle is None and not points:
                self.tell(field, "expected bbox, segmentation or keypoints, got none of them")
                self.cost(1, told)
            else:
                label = category.name if category else ""
                guessed = "score" in entry
                instances[image_id].append(Instance(name, box, points or (), rle, label, guessed))
        if doubt := doubtful_reading(boxes, CORNER):
            self.tell("annotations", doubt, "note")
        if crowds:
            self.tell("annotations", f"{crowds} crowd regions (iscrowd) are left out", "note")
        if lost:
            self.tell("annotations", f"{lost} annotations go with the images that are left out", "note")
            self.cost(lost, len(self.problems) - 1)
        if repeated:
            message = f"{repeated} annotations have an id that another has; all are used, each on its own image"
            self.tell("annotations", message, "note")
        if unknown:
            self.tell("annotations", f"{unknown} annotations have a category_id that is not in categories", "note")
        return instances

    def box_and_mask(
        self, entry: dict[str, Any], field: str, file: ImageFile | None
    ) -> tuple[_Box | None, dict[str, Any] | None]:
        """What an annotation has of them; one that cannot be read costs the other nothing, and is noted."""
        told = len(self.problems)
        box = self.attempt(f"{field}.bbox", read_box, entry, file)
        rle = self.attempt(f"{field}.segmentation", read_segmentation, entry.get("segmentation"), file)
        if len(self.problems) > told and (box is not None or rle is not None):
            used = "bbox" if rle is None else "segmentation"
            broken = self.problems.pop()
            self.tell(broken.field, f"{broken.message}; its {used} is used without it", "note")
        if box is not None and rle is not None and rotation_of_json(entry):
            # Of a shape that became a mask the box may be upright already, and the attribute a remnant.
            as_it_stands = self.attempt(f"{field}.bbox", read_box, {"bbox": entry["bbox"]}, file) or box
            box = max((box, as_it_stands), key=lambda one: box_iou(one, mask_box(rle)))
        return box, rle


def _file(labels: Path) -> Path:
    """The COCO file that is meant."""
    if not labels.is_dir():
        return labels
    files = list_files(labels, {".json"})
    if len(files) != 1:
        found = ", ".join(path.relative_to(labels).as_posix() for path in files[:3]) or "none"
        raise WesamError(f"{labels}: expected a COCO file, or a folder with one JSON file, got {len(files)}: {found}")
    return stay_inside(files[0], labels)


def _load(labels: Path) -> dict[str, Any]:
    """The JSON object of a COCO file; "images" and "annotations" are lists."""
    coco = read_json(labels, "COCO JSON")
    if not isinstance(coco, dict):
        raise WesamError(
            f"{labels}: expected COCO JSON, an object with 'images' and 'annotations', got a {type(coco).__name__}"
        )
    for key in ("images", "annotations"):
        if not isinstance(coco.get(key), list):
            found = f"a {type(coco[key]).__name__}" if key in coco else f"only {sorted(coco)}"
            raise WesamError(f"{labels}: expected COCO JSON with a list {key!r}, got {found}")
    return coco


def _categories(entries: object) -> dict[_Id, _Category]:
    """By id. They only inform, so what cannot be read has no name."""
    rows = [row for row in entries if isinstance(row, dict)] if isinstance(entries, list) else []
    return {row["id"]: _category(row) for row in rows if _is_id(row.get("id"))}


def _category(row: dict[str, Any]) -> _Category:
    point_names = row.get("keypoints")
    return _Category(str(row.get("name", "")), tuple(map(str, point_names)) if isinstance(point_names, list) else ())


def _is_id(value: object) -> TypeGuard[_Id]:
    if isinstance(value, float):  # pandas makes such numbers of ids; 1.0 is the same key as 1
        return value.is_integer()
    return isinstance(value, int | str) and not isinstance(value, bool)


def _id(value: object) -> _Id:
    if not _is_id(value):
        raise WesamError(f"expected a whole number or text, got {reprlib.repr(value)}")
    return int(value) if isinstance(value, float) else value


def _image_id(value: object, files: dict[_Id, ImageFile | None]) -> _Id:
    if _is_id(value):
        value = _id(value)
        if value in files:
            return value
        for same in (str(value), int(value) if str(value).isdecimal() and len(str(value)) < 20 else ""):
            if same in files:  # VIA writes numbers here and text there
                return same
    raise WesamError(f"expected the id of one of the images, got {reprlib.repr(value)}")


def _name(value: object, index: int) -> str:
    """The annotation's id as text, its position where it has none."""
    return f"#{index}" if value is None else str(_id(value))


def _is_own(coco: dict[str, Any]) -> bool:
    """Whether `write_coco` made the file, of which it is known that images were upright."""
    info = coco.get("info")
    return isinstance(info, dict) and str(info.get("description", "")).startswith(OWN)


def _is_crowd(entry: dict[str, Any]) -> bool:
    """CVAT (through Datumaro, which gives every annotation "attributes") calls each brush mask a crowd."""
    attributes = entry.get("attributes")
    by_datumaro = isinstance(attributes, dict) and not attributes.get("is_crowd")
    return bool(entry.get("iscrowd")) and not by_datumaro


def _find(folder: ImageFolder, entry: dict[str, Any]) -> ImageFile:
    name = entry.get("file_name")
    if not isinstance(name, str) or not name:
        raise WesamError(f"expected the name of an image file, got {reprlib.repr(name)}")
    return folder.find_moved(name)


def read_box(entry: dict[str, Any], file: ImageFile | None) -> _Box | None:
    """The annotation's box, if it has one; without a usable image only its numbers can be checked."""
    value = entry.get("bbox")
    if value is None:
        return None
    expected = "4 finite numbers [x, y, width, height]"
    numbers = finite_floats(value, expected)
    if len(numbers) != 4:
        hint = " (a turned box? give the upright one around it)" if len(numbers) == 5 else ""
        raise WesamError(f"expected {expected}, got {len(numbers)} numbers{hint}")
    x, y, width, height = numbers
    if width <= 0 or height <= 0:
        raise WesamError(f"expected a box of positive width and height, got {width:g} x {height:g}")
    box = (x, y, x + width, y + height)
    degrees = rotation_of_json(entry)
    if file is None:
        return box
    return fit_rotated_box(box, degrees, (x + width / 2, y + height / 2), file.width, file.height)


def read_segmentation(value: object, file: ImageFile | None) -> dict[str, Any] | None:
    """The annotation's mask, if it has one and its image is usable; tools write [] for no mask."""
    if not value or file is None:
        return None
    if isinstance(value, dict):
        return fit_rle(value.get("size"), value.get("counts"), file.width, file.height)
    if isinstance(value, list):
        flat = not any(isinstance(polygon, list) for polygon in value)  # one polygon, by some tools without its list
        polygons = [
            finite_floats(polygon, "polygons as lists of finite numbers") for polygon in ([value] if flat else value)
        ]
        whole = [polygon for polygon in polygons if len(polygon) >= _TRIANGLE]  # crumbs that masks leave when traced
        drawn = whole or [polygon for polygon in polygons if polygon]
        return polygons_to_rle(drawn, file.width, file.height) if drawn else None
    raise WesamError(f"expected polygons or run-length encoding, got {reprlib.repr(value)}")


def _points(value: object, names: tuple[str, ...], file: ImageFile | None) -> _Points | None:
    """The annotation's labelled keypoints; without a usable image only their numbers can be checked."""
    if not value:
        return None
    numbers = finite_floats(value, "keypoints as finite numbers [x, y, visibility, ...]")
    if len(numbers) % 3:
        raise WesamError(f"expected keypoints of 3 numbers each, got {len(numbers)} numbers")
    points = []
    for index, (x, y, visibility) in enumerate(zip(*(iter(numbers),) * 3, strict=True)):
        if visibility not in (0, 1, 2):
            raise WesamError(f"expected a visibility of 0, 1 or 2, got {visibility:g} of keypoint {index}")
        if visibility and file is not None:
            _, label = read_polarity(names[index] if index < len(names) else "")
            points.append((*fit_point(x, y, file.width, file.height), label))
    return tuple(points)


def has_coco_key(head: str) -> bool:
    """Whether the beginning of a JSON file names the parts of a COCO file."""
    return _KEY.search(head) is not None


def _is_file(path: Path, head: str) -> bool:
    """Any JSON object: where it is none of COCO's, the reader says what is wrong with it."""
    return is_json(path, head) and not head.startswith("[")


COCO = Format(
    read_coco,
    "COCO: a JSON object with 'images' and 'annotations'",
    is_file=_is_file,
    suffixes=(".json",),
    # Notes and settings lie in folders too.
    is_folder=lambda folder, file, head: _is_file(file, head) and has_coco_key(head),
)
