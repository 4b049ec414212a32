"""YOLO text labels (Ultralytics, Darknet): a text file for each image, a line for each object.

In ``labels/site/0001.txt``, for ``site/0001.jpg`` of the image folder::

    0 0.5 0.5 0.25 0.125
    1 0.1 0.1 0.4 0.1 0.3 0.3

A class index, then a box (centre x, centre y, width, height) or a polygon (x, y of 3 or more corners), all as fractions
of the image's width and height. A set of pose labels has key points behind its boxes. The confidence and the number of
a track that a detector writes behind them are not read.
"""

from __future__ import annotations

import re
import reprlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wesam.errors import WesamError
from wesam.labels.assemble import LabelBuilder, Mark
from wesam.labels.box_numbers import CENTRE
from wesam.labels.files import label_files
from wesam.labels.format import Format
from wesam.labels.label_set import LabelSet
from wesam.labels.shapes import fit_point, fit_rotated_box, polygons_to_rle
from wesam.labels.yolo_lines import Layout, find_layout, read_line, unordered_confidences
from wesam.types import FOREGROUND
from wesam.untrusted import read_text, read_yaml

if TYPE_CHECKING:
    from wesam.labels.folder import ImageFile
    from wesam.labels.problems import ProblemLog

# Tables of numbers are written with one kind for all: 0.0, or 0.000e+00.
_CLASS_INDEX = re.compile(r"[0-9]{1,9}(\.0*(e[+-]0+)?)?")
_LINE = re.compile(rf"{_CLASS_INDEX.pattern}(\s+[-+.\deE]+){{4,}}\s*")

_NAME_FILES = ("data.yaml", "dataset.yaml", "classes.txt", "obj.names")

# YAML files beside or above labels may be of anything, so only such a one that speaks of key points is read.
_KEYPOINTS = "kpt_shape"
_MOST_YAML = 20

# Lists of class names or of images, which lie among the labels.
_NO_LABELS = frozenset({"classes.txt", "obj.names", "train.txt", "val.txt", "test.txt"})


def read_yolo(labels: Path, images: Path) -> LabelSet:
    """Reads YOLO text files.

    Class names come from a data.yaml (or dataset.yaml), classes.txt or obj.names, in the labels' folder or the two
    above it; one that cannot be read is noted. A class beyond them costs an object only its name. If a YAML file there
    has "kpt_shape", lines are boxes with key points, which become points on the object. A box turned by an angle
    becomes the upright box around it.

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
        data = labels if folder != labels else None
        names = _class_names(data, place, builder)
        keypoints = _keypoint_shape(data, place)
        files = label_files(folder, {".txt"}, "YOLO text files")
    except WesamError as error:
        return LabelSet.unusable(labels, error)
    builder.folder.expect(name.with_suffix("").as_posix() for _, name in files)
    texts: list[tuple[str, ImageFile, str]] = []
    for path, name in files:
        if name.name in _NO_LABELS and path != labels:
            continue
        builder.file, told = name.as_posix(), len(builder.problems)
        file = builder.claim("", builder.folder.find_stem, name.with_suffix("").as_posix())
        text = builder.attempt("", read_text, path, "YOLO text")
        if file is not None and text is not None:
            texts.append((builder.file, file, text))
        else:
            builder.cost(sum(bool(line.strip()) for line in (text or "").splitlines()), told)
    try:
        by_file = [[words[1:] for line in text.splitlines() if (words := line.split())] for _, _, text in texts]
        layout = find_layout([words for lines in by_file for words in lines], keypoints)
    except WesamError as error:
        return LabelSet.unusable(labels, error)
    for name_of_text, file, text in texts:
        builder.file = name_of_text
        builder.add(file, _marks(text, file, layout, names, builder))
    builder.file = labels.name
    unordered = unordered_confidences(by_file) if layout.radians is None and layout.keypoints is None else None
    for note in (*layout.notes, *([unordered] if unordered else [])):
        builder.tell("", note, "note")
    return builder.build()


@dataclass(frozen=True)
class _Names:
    """Class names by index, and where they come from."""

    source: str
    names: dict[int, str]


def _marks(text: str, file: ImageFile, layout: Layout, names: _Names | None, builder: LabelBuilder) -> list[Mark]:
    marks = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            field = f"line {number}"
            mark = builder.attempt_object(field, _mark, field, line.split(), file, layout, builder)
            if mark is None:
                continue
            name = names.names.get(int(mark.category)) if names else ""
            if names and name is None:
                builder.tell(field, f"expected one of the classes in {names.source}, got {mark.category}", "note")
            marks.append(replace(mark, category=name or ""))
    return marks


def _mark(field: str, words: list[str], file: ImageFile, layout: Layout, builder: LabelBuilder) -> Mark:
    """One line; the category is still its index."""
    if not _CLASS_INDEX.fullmatch(words[0]):
        raise WesamError(f"expected a class index (0, 1, ...) first, got {reprlib.repr(words[0])}")
    line, index = read_line(words[1:], layout), str(int(float(words[0])))
    if line.box is None:
        corners = [share * (file.height if index % 2 else file.width) for index, share in enumerate(line.outline)]
        return Mark(field, index, rle=polygons_to_rle([corners], file.width, file.height))
    x, y, width, height = (share * side for share, side in zip(line.box, (file.width, file.height) * 2, strict=True))
    if not line.degrees:
        builder.box_as_written(CENTRE, (x, y, width, height), file)
    box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    # Shares are measured from the corner of the first pixel, points are counted from its centre.
    points = [
        (*fit_point(x * file.width - 0.5, y * file.height - 0.5, file.width, file.height), FOREGROUND)
        for x, y in line.points
    ]
    fitted = fit_rotated_box(box, line.degrees, (x, y), file.width, file.height)
    return Mark(field, index, fitted, points=tuple(points))


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
    for path in (place / name for place in _places(folder) for name in _NAME_FILES):
        if path.is_file():
            try:
                names = _names_of_yaml(path) if path.suffix == ".yaml" else _names_of_list(path)
            except WesamError as error:  # it may have nothing to do with the labels, and names only inform
                log.tell("", f"{error}; it is passed over", "note")
                continue
            if names is not None:
                return names
    return None


def _places(folder: Path) -> list[Path]:
    """The labels' folder and the two above it: trainers keep labels/train beside data.yaml."""
    return [folder, *folder.absolute().parents[:2]]


def _keypoint_shape(data: Path | None, folder: Path) -> tuple[int, int] | None:
    """How many key points a line has, and numbers each; None if no YAML file says that there are some.

    Raises:
        WesamError: if one says so in a way that cannot be.
    """
    beside = [path for place in _places(folder) for path in sorted(place.glob("*.y*ml"))[:_MOST_YAML]]
    for path in beside if data is None else [data]:
        try:
            spoken_of = _KEYPOINTS in read_text(path, "YAML")
            content = read_yaml(path, "YAML") if spoken_of else None
        except WesamError:  # it may be of anything; a data.yaml has been reported
            continue
        if isinstance(content, dict) and content.get(_KEYPOINTS) is not None:
            shape = content[_KEYPOINTS]
            numbers = isinstance(shape, list) and len(shape) == 2 and all(type(number) is int for number in shape)
            if not numbers or shape[0] < 1 or shape[1] not in (2, 3):
                raise WesamError(f"{path}: {_KEYPOINTS}: expected [how many, 2 or 3], got {reprlib.repr(shape)}")
            return shape[0], shape[1]
    return None


def _names_of_list(path: Path) -> _Names:
    lines = read_text(path, "class names").splitlines()
    return _Names(path.name, {index: line.strip() for index, line in enumerate(lines) if line.strip()})


def _names_of_yaml(path: Path) -> _Names | None:
    data: Any = read_yaml(path, "YAML")
    names = data.get("names") if isinstance(data, dict) else None
    if isinstance(names, list):
        names = dict(enumerate(names))
    if names is None and isinstance(data, dict) and {"nc", _KEYPOINTS} & data.keys():
        return None  # so many classes, without names
    if not isinstance(names, dict):
        raise WesamError(f"{path}: names: expected a list of class names, got {reprlib.repr(names)}")
    return _Names(path.name, {index: str(name) for index, name in names.items() if isinstance(index, int)})


def _is_file(path: Path, head: str) -> bool:
    """By the first line; an empty file stands for an image without objects."""
    if path.suffix.lower() in (".yaml", ".yml"):
        return True
    lines = head.strip().splitlines()
    return path.suffix.lower() == ".txt" and (not lines or _LINE.fullmatch(lines[0].strip()) is not None)


YOLO = Format(
    read_yolo,
    "YOLO: a folder of .txt files, or a data.yaml",
    is_file=_is_file,
    suffixes=(".txt",),
)
