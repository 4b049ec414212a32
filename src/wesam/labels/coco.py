"""COCO JSON: the format of MS COCO (Lin et al. 2014, arXiv 1405.0312), which most labelling tools export.

The least that is read::

    {"images": [{"id": 1, "file_name": "a.png"}],
     "annotations": [{"image_id": 1, "bbox": [x, y, width, height]}]}

An annotation may carry "segmentation" (polygons, or run-length encoding) beside its box, or instead of it.
"""

from __future__ import annotations

import json
import reprlib
from typing import TYPE_CHECKING, Any, ParamSpec, TypeGuard, TypeVar

from wesam.errors import WesamError
from wesam.labels.folder import ImageFile, ImageFolder
from wesam.labels.label_set import LabelSet
from wesam.labels.problems import Problem, Severity
from wesam.labels.shapes import finite_floats, fit_box, fit_rle, polygons_to_rle
from wesam.types import Instance, Sample

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_P = ParamSpec("_P")
_T = TypeVar("_T")
_Id = int | str
_Box = tuple[float, float, float, float]


def read_coco(labels: Path, images: Path) -> LabelSet:
    """Reads a COCO JSON file.

    Sizes come from the image files, upright by their EXIF orientation. Crowd regions (``iscrowd``) are left
    out. Ids may be numbers or text; annotations without one are numbered. Of images or annotations given
    twice the first counts, but where one image id stands for two files, neither is used. Keypoints are not
    read.

    Args:
        labels: the JSON file.
        images: the folder that "file_name" is relative to.

    Returns:
        The images found, with their usable instances, and every problem.
    """
    return _CocoReader(labels.name).read(labels, images)


class _CocoReader:
    """Collects problems while it reads one file."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def read(self, labels: Path, images: Path) -> LabelSet:
        try:
            coco = _load(labels)
            folder = ImageFolder(images)
        except WesamError as error:
            self.tell("", str(error), "fatal")
            return LabelSet((), tuple(self.problems))
        files = self.images(coco["images"], folder)
        instances = self.annotations(coco["annotations"], files, _categories(coco.get("categories")))
        samples = tuple(
            Sample(file.id, file.path, file.width, file.height, tuple(instances[image_id]))
            for image_id, file in files.items()
            if file is not None
        )
        return LabelSet(samples, tuple(self.problems))

    def images(self, entries: list[Any], folder: ImageFolder) -> dict[_Id, ImageFile | None]:
        """The file behind each image id; None behind an id whose entry is unusable."""
        files: dict[_Id, ImageFile | None] = {}
        index_of_id: dict[_Id, int] = {}
        index_of_file: dict[str, int] = {}
        for index, entry in enumerate(entries):
            field = f"images[{index}]"
            if not isinstance(entry, dict):
                self.tell(field, f"expected an object, got {reprlib.repr(entry)}")
                continue
            image_id = self.attempt(f"{field}.id", _id, entry.get("id"))
            file = self.attempt(f"{field}.file_name", _find, folder, entry)
            if image_id is None:
                continue
            if image_id in index_of_id:
                first = index_of_id[image_id]
                message = f"expected a new id, got {image_id!r} of images[{first}] again"
                if entry.get("file_name") != entries[first].get("file_name"):
                    message += "; its annotations cannot be told apart, so both images are left out"
                    files[image_id] = None
                self.tell(f"{field}.id", message)
                continue
            index_of_id[image_id] = index
            if file is not None and file.id in index_of_file:
                other = f"images[{index_of_file[file.id]}]"
                self.tell(f"{field}.file_name", f"expected a new file, got {file.id!r} of {other} again")
                file = None
            elif file is not None:
                index_of_file[file.id] = index
                file = self.attempt(f"{field}.width", _sized, entry, file)
            files[image_id] = file
        return files

    def annotations(
        self, entries: list[Any], files: dict[_Id, ImageFile | None], categories: dict[_Id, str]
    ) -> dict[_Id, list[Instance]]:
        """The usable instances of each image id."""
        instances: dict[_Id, list[Instance]] = {image_id: [] for image_id in files}
        index_of_name: dict[str, int] = {}
        crowds = lost = 0
        for index, entry in enumerate(entries):
            field = f"annotations[{index}]"
            if not isinstance(entry, dict):
                self.tell(field, f"expected an object, got {reprlib.repr(entry)}")
                continue
            if entry.get("iscrowd"):
                crowds += 1
                continue
            told = len(self.problems)
            name = self.attempt(f"{field}.id", _name, entry.get("id"), index, index_of_name)
            image_id = self.attempt(f"{field}.image_id", _image_id, entry.get("image_id"), files)
            file = None if image_id is None else files[image_id]
            box = self.attempt(f"{field}.bbox", _box, entry.get("bbox"), file)
            rle = self.attempt(f"{field}.segmentation", _rle, entry.get("segmentation"), file)
            if len(self.problems) > told or name is None or image_id is None:
                continue
            if file is None:
                lost += 1
            elif box is None and rle is None:
                self.tell(field, "expected bbox or segmentation, got neither")
            else:
                category = entry.get("category_id")
                label = categories.get(category, "") if _is_id(category) else ""
                instances[image_id].append(Instance(name, box, rle=rle, category=label))
        if crowds:
            self.tell("annotations", f"{crowds} crowd regions (iscrowd) are left out", "note")
        if lost:
            self.tell("annotations", f"{lost} annotations go with the images that are left out", "note")
        return instances

    def tell(self, field: str, message: str, severity: Severity = "skip") -> None:
        self.problems.append(Problem(severity, self.file, field, message))

    def attempt(self, field: str, read: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T | None:
        """What `read` returns, or None and a problem told if it raises a WesamError."""
        try:
            return read(*args, **kwargs)
        except WesamError as error:
            self.tell(field, str(error))
            return None


def _load(labels: Path) -> dict[str, Any]:
    """The JSON object of a COCO file; "images" and "annotations" are lists."""
    try:
        coco = json.loads(labels.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise WesamError(f"{labels}: expected a COCO JSON file, got {error.strerror or error}") from error
    except json.JSONDecodeError as error:
        raise WesamError(
            f"{labels}: line {error.lineno} column {error.colno}: expected JSON, got {error.msg}"
        ) from error
    except (ValueError, RecursionError) as error:  # not UTF-8, numbers of absurd length, absurd nesting
        raise WesamError(f"{labels}: expected COCO JSON, got {error}") from error
    if not isinstance(coco, dict):
        raise WesamError(
            f"{labels}: expected COCO JSON, an object with 'images' and 'annotations', got a {type(coco).__name__}"
        )
    for key in ("images", "annotations"):
        if not isinstance(coco.get(key), list):
            found = f"a {type(coco[key]).__name__}" if key in coco else f"only {sorted(coco)}"
            raise WesamError(f"{labels}: expected COCO JSON with a list {key!r}, got {found}")
    return coco


def _categories(entries: object) -> dict[_Id, str]:
    """Names by id. They only inform, so what cannot be read has no name."""
    rows = [row for row in entries if isinstance(row, dict)] if isinstance(entries, list) else []
    return {row["id"]: str(row.get("name", "")) for row in rows if _is_id(row.get("id"))}


def _is_id(value: object) -> TypeGuard[_Id]:
    return isinstance(value, int | str) and not isinstance(value, bool)


def _id(value: object) -> _Id:
    if not _is_id(value):
        raise WesamError(f"expected a number or text, got {reprlib.repr(value)}")
    return value


def _image_id(value: object, files: dict[_Id, ImageFile | None]) -> _Id:
    if not _is_id(value) or value not in files:
        raise WesamError(f"expected the id of one of the images, got {reprlib.repr(value)}")
    return value


def _name(value: object, index: int, index_of_name: dict[str, int]) -> str:
    """The annotation's id as text, its position where it has none; enters it in `index_of_name`."""
    name = f"#{index}" if value is None else str(_id(value))
    if name in index_of_name:
        raise WesamError(f"expected a new id, got {name} of annotations[{index_of_name[name]}] again")
    index_of_name[name] = index
    return name


def _find(folder: ImageFolder, entry: dict[str, Any]) -> ImageFile:
    name = entry.get("file_name")
    if not isinstance(name, str) or not name:
        raise WesamError(f"expected the name of an image file, got {reprlib.repr(name)}")
    return folder.find(name)


def _sized(entry: dict[str, Any], file: ImageFile) -> ImageFile:
    """The file, if the labels were made on an image of its size as far as the entry says."""
    stated, actual = (entry.get("width"), entry.get("height")), (file.width, file.height)
    # Some tools write 0 for a size they do not know.
    if stated == actual or not all(isinstance(side, int | float) and side > 0 for side in stated):
        return file
    hint = " (labelled without its EXIF rotation?)" if stated == actual[::-1] else ""
    raise WesamError(
        f"expected {file.width} x {file.height} px, the size of {file.id!r}, got {stated[0]} x {stated[1]}{hint}"
    )


def _box(value: object, file: ImageFile | None) -> _Box | None:
    """The annotation's box, if it has one; without a usable image only its numbers can be checked."""
    if value is None:
        return None
    expected = "4 finite numbers [x, y, width, height]"
    numbers = finite_floats(value, expected)
    if len(numbers) != 4:
        raise WesamError(f"expected {expected}, got {len(numbers)} numbers")
    x, y, width, height = numbers
    if width <= 0 or height <= 0:
        raise WesamError(f"expected a box of positive width and height, got {width:g} x {height:g}")
    box = (x, y, x + width, y + height)
    return box if file is None else fit_box(box, file.width, file.height)


def _rle(value: object, file: ImageFile | None) -> dict[str, Any] | None:
    """The annotation's mask, if it has one and its image is usable; tools write [] for no mask."""
    if not value or file is None:
        return None
    if isinstance(value, dict):
        return fit_rle(value.get("size"), value.get("counts"), file.width, file.height)
    if isinstance(value, list):
        polygons = [finite_floats(polygon, "polygons as lists of finite numbers") for polygon in value]
        return polygons_to_rle(polygons, file.width, file.height)
    raise WesamError(f"expected polygons or run-length encoding, got {reprlib.repr(value)}")
