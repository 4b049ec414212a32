"""YOLO text labels (Ultralytics, Darknet): a text file for each image, a line for each object.

In ``labels/site/0001.txt``, for ``site/0001.jpg`` of the image folder::

    0 0.5 0.5 0.25 0.125
    1 0.1 0.1 0.4 0.1 0.3 0.3

A class index, then a box (centre x, centre y, width, height) or a polygon (x, y of 3 or more corners), all as shares of
the image's width and height. The confidence and the number of a track that a detector writes behind a box are not read.
"""

from __future__ import annotations

import re
import reprlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wesam.errors import WesamError
from wesam.labels.assemble import LabelBuilder, Mark
from wesam.labels.files import label_files
from wesam.labels.label_set import LabelSet
from wesam.labels.shapes import fit_box, parse_floats, polygons_to_rle
from wesam.untrusted import read_text, read_yaml

if TYPE_CHECKING:
    from wesam.labels.folder import ImageFile
    from wesam.labels.problems import ProblemLog

_TURNED_BOX = 8  # numbers of a box given by its corners
_CLASS_INDEX = re.compile(r"[0-9]{1,9}")

_NAME_FILES = ("data.yaml", "dataset.yaml", "classes.txt", "obj.names")

# Lists of class names or of images, which lie among the labels.
_NO_LABELS = frozenset({"classes.txt", "obj.names", "train.txt", "val.txt", "test.txt"})


def read_yolo(labels: Path, images: Path) -> LabelSet:
    """Reads YOLO text files.

    Class names come from a data.yaml (or dataset.yaml), classes.txt or obj.names, in the labels' folder or the one
    above it; one that cannot be read is noted. A class beyond them costs an object only its name.

    Args:
        labels: the folder of text files, one of them, or the data.yaml; labels of the latter are looked for as its
            trainers do, in the image folder's path with its last "images" replaced by "labels", and then in "labels"
            beside it. Its other paths are not followed.
        images: the folder that has an image of the same name for each text file.

    Returns:
        The images found, with their usable instances, and every problem.
    """
    try:
        builder = LabelBuilder(labels.name, images)
        folder = _label_folder(labels, images) if labels.suffix.lower() in (".yaml", ".yml") else labels
        place = folder if folder.is_dir() else folder.parent
        names = _class_names(labels if folder != labels else None, place, builder)
        files = label_files(folder, {".txt"}, "YOLO text files")
    except WesamError as error:
        return LabelSet.unusable(labels, error)
    lengths: set[int] = set()
    for path, name in files:
        if name.name in _NO_LABELS and path != labels:
            continue
        builder.file, told = name.as_posix(), len(builder.problems)
        file = builder.claim("", builder.folder.find_stem, name.with_suffix("").as_posix())
        text = builder.attempt("", read_text, path, "YOLO text")
        if file is not None and text is not None:
            lengths |= {len(line.split()) for line in text.splitlines() if line.strip()}
            builder.add(file, _marks(text, file, names, builder))
        else:
            builder.cost(sum(bool(line.strip()) for line in (text or "").splitlines()), told)
    if lengths == {1 + _TURNED_BOX}:
        builder.file = labels.name
        builder.tell("", "every object has 4 corners (turned boxes, YOLO OBB?); they are read as its outline", "note")
    return builder.build()


class _PoseLabelsError(WesamError):
    """Their numbers would pass for those of polygons."""


@dataclass(frozen=True)
class _Names:
    """Class names by index, and where they come from."""

    source: str
    names: dict[int, str]


def _marks(text: str, file: ImageFile, names: _Names | None, builder: LabelBuilder) -> list[Mark]:
    marks = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            field = f"line {number}"
            mark = builder.attempt_object(field, _mark, field, line.split(), file)
            if mark is None:
                continue
            name = names.names.get(int(mark.category)) if names else ""
            if names and name is None:
                builder.tell(field, f"expected one of the classes in {names.source}, got {mark.category}", "note")
            marks.append(Mark(field, name or "", mark.box, rle=mark.rle))
    return marks


def _mark(field: str, words: list[str], file: ImageFile) -> Mark:
    """One line; the category is still its index."""
    if not _CLASS_INDEX.fullmatch(words[0]):
        raise WesamError(f"expected a class index (0, 1, ...) first, got {reprlib.repr(words[0])}")
    numbers = parse_floats(words[1:], "finite numbers after the class index")
    # Behind a box Ultralytics writes its confidence (save_conf), and the number of its track. That is whole, which the
    # last share of a triangle would be only at the very edge of the image.
    tracked = len(numbers) == 6 and words[-1].isdecimal() and numbers[-1] >= 1
    if len(numbers) in (4, 5) or tracked:
        x, y, width, height = numbers[:4]
        box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        edges = [share * side for share, side in zip(box, (file.width, file.height) * 2, strict=True)]
        return Mark(field, words[0], fit_box((edges[0], edges[1], edges[2], edges[3]), file.width, file.height))
    if len(numbers) < 6 or len(numbers) % 2:
        raise WesamError(
            f"expected 4 numbers after the class index (a box), or 6, 8, ... (a polygon), got {len(numbers)}"
        )
    corners = [share * (file.height if index % 2 else file.width) for index, share in enumerate(numbers)]
    return Mark(field, words[0], rle=polygons_to_rle([corners], file.width, file.height))


def _label_folder(data: Path, images: Path) -> Path:
    """Where the labels of a data.yaml are."""
    parts = images.absolute().parts
    beside = [data.parent / "labels"]
    if "images" in parts:
        last = len(parts) - 1 - parts[::-1].index("images")
        beside.insert(0, Path(*parts[:last], "labels", *parts[last + 1 :]))
    for folder in beside:
        if folder.is_dir():
            return folder
    raise WesamError(f"{data}: expected labels in {' or '.join(map(str, beside))}, found no such folder")


def _class_names(data: Path | None, folder: Path, log: ProblemLog) -> _Names | None:
    """From `data`, else from the first file beside the labels or above them that has some."""
    if data is not None:
        return _names_of_yaml(data)
    for path in (place / name for place in (folder, folder.absolute().parent) for name in _NAME_FILES):
        if path.is_file():
            try:
                names = _names_of_yaml(path) if path.suffix == ".yaml" else _names_of_list(path)
            except _PoseLabelsError:
                raise
            except WesamError as error:  # it may have nothing to do with the labels, and names only inform
                log.tell("", f"{error}; it is passed over", "note")
                continue
            if names is not None:
                return names
    return None


def _names_of_list(path: Path) -> _Names:
    lines = read_text(path, "class names").splitlines()
    return _Names(path.name, {index: line.strip() for index, line in enumerate(lines) if line.strip()})


def _names_of_yaml(path: Path) -> _Names | None:
    data: Any = read_yaml(path, "YAML")
    names = data.get("names") if isinstance(data, dict) else None
    if isinstance(data, dict) and "kpt_shape" in data:
        raise _PoseLabelsError(f"{path}: kpt_shape: expected labels of boxes or polygons, got keypoints (YOLO pose)")
    if isinstance(names, list):
        names = dict(enumerate(names))
    if names is None and isinstance(data, dict) and "nc" in data:
        return None  # so many classes, without names
    if not isinstance(names, dict):
        raise WesamError(f"{path}: names: expected a list of class names, got {reprlib.repr(names)}")
    return _Names(path.name, {index: str(name) for index, name in names.items() if isinstance(index, int)})
