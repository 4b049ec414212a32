"""The label formats there are, and which of them a file or folder is in."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from wesam.errors import WesamError
from wesam.labels.coco import read_coco
from wesam.labels.containers import refuse_labels
from wesam.labels.csv_table import read_csv
from wesam.labels.cvat import read_cvat
from wesam.labels.files import list_files
from wesam.labels.label_set import LabelSet
from wesam.labels.label_studio import read_label_studio
from wesam.labels.labelme import read_labelme
from wesam.labels.mask_folder import INSTANCES, read_masks
from wesam.labels.mask_folder import SUFFIXES as MASK_SUFFIXES
from wesam.labels.pascal_voc import read_voc
from wesam.labels.sa1b import read_sa1b
from wesam.labels.yolo import read_yolo
from wesam.untrusted import ordinary_file

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Format:
    """A label format.

    Attributes:
        read: its reader.
        looks: what a file or folder in it looks like, for the message that none was recognised.
        upright: whether its tool shows images upright, turned by their EXIF orientation.
        percent: whether it has percentages of the image's size.
    """

    read: Callable[[Path, Path], LabelSet]
    looks: str
    upright: bool = False
    percent: bool = False


#: By the name that `--format` takes.
FORMATS = {
    "coco": Format(read_coco, "COCO: a JSON object with 'images' and 'annotations'"),
    "label-studio": Format(read_label_studio, "Label Studio: a JSON list of tasks", upright=True, percent=True),
    "sa1b": Format(read_sa1b, "SA-1B: a folder of JSON files with 'image' and 'annotations'"),
    "labelme": Format(read_labelme, "labelme: a folder of JSON files with 'shapes'", upright=True),
    "cvat": Format(read_cvat, "CVAT for images: an XML file with the root <annotations>", upright=True),
    "voc": Format(read_voc, "Pascal VOC: a folder of XML files with the root <annotation>"),
    "yolo": Format(read_yolo, "YOLO: a folder of .txt files, or a data.yaml"),
    "masks": Format(read_masks, "masks: a folder of .png or .tif files"),
    "csv": Format(read_csv, "CSV: a .csv file"),
}

# Enough of a file to see what it is; a COCO file may have hundreds of megabytes.
_HEAD_BYTES = 65536

# As much of a folder: one file that was left among the labels must not decide.
_FOLDER_FILES = 20

_LABELME_KEY = re.compile(r'"(shapes|imagePath|imageData|imageHeight|imageWidth)"\s*:')
# Not "categories": the notes.json that Label Studio adds to YOLO labels has them too.
_COCO_KEY = re.compile(r'"(images|annotations)"\s*:')
_SA1B_KEY = re.compile(r'"image"\s*:\s*\{')
_XML_ROOT = re.compile(r"<(annotations?)[\s>/]")
_YOLO_LINE = re.compile(r"\d+(\s+[-+.\deE]+){4,}\s*")


def read_labels(labels: str | Path, images: str | Path, format: str | None = None) -> LabelSet:
    """Reads labels in any format.

    Args:
        labels: a file or a folder.
        images: folder of images.
        format: a key of `FORMATS`; None to tell by the content. What the objects of masks are may be behind it:
            "masks:components" or "masks:values".

    Returns:
        The images found, with their usable instances, and every problem; one fatal problem if the format of `labels`
        is not recognised.

    Raises:
        WesamError: if `format` is no key of `FORMATS`.
    """
    labels, images = Path(labels), Path(images)
    if format is None:
        try:
            format = detect_format(labels)
        except WesamError as error:
            return LabelSet.unusable(labels, error)
    name, _, instances = format.partition(":")
    if name not in FORMATS or (instances and (name != "masks" or instances not in INSTANCES)):
        raise WesamError(f"format: expected one of {', '.join(FORMATS)}, got {format!r}")
    known = FORMATS[name]
    found = read_masks(labels, images, instances) if instances else known.read(labels, images)
    return replace(found, upright=found.upright or known.upright, percent=known.percent)


def detect_format(labels: Path) -> str:
    """The format of a file or folder, a key of `FORMATS`, from names and the beginnings of files alone.

    Raises:
        WesamError: if it does not exist or looks like none of them.
    """
    try:
        found = _format_of_folder(labels) if labels.is_dir() else _format_of_file(labels, _head(labels))
    except OSError as error:
        raise WesamError(f"{labels}: expected a label file or folder, got {error.strerror or error}") from error
    if found is None:
        refuse_labels(labels)
        looked_for = "; ".join(format.looks for format in FORMATS.values())
        raise WesamError(
            f"{labels}: expected labels in a format that is known, got none of these: {looked_for}; "
            f"if it is one, name it with --format"
        )
    return found


def _format_of_file(path: Path, head: str) -> str | None:
    """By the file's name and its beginning."""
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv"):
        return "csv"
    if suffix in (".yaml", ".yml"):
        return "yolo"
    if suffix == ".txt":
        return "yolo" if _is_yolo(head) else None
    if suffix == ".json" or head.startswith(("{", "[")):
        if head.startswith("["):
            return "label-studio"
        if _SA1B_KEY.search(head) and '"images"' not in head and '"shapes"' not in head:
            return "sa1b"
        return "labelme" if _LABELME_KEY.search(head) and not _COCO_KEY.search(head) else "coco"
    if root := _XML_ROOT.search(head):
        return "cvat" if root[1] == "annotations" else "voc"
    return None


def _format_of_folder(folder: Path) -> str | None:
    """By what lies in it; images may lie beside the labels, so masks are the last thought.

    Notes and settings of any kind may lie there too, so a JSON file must look like labels to count.
    """
    for suffix, formats in ((".json", {"labelme", "coco", "sa1b"}), (".xml", {"voc", "cvat"}), (".txt", {"yolo"})):
        for path in list_files(folder, {suffix})[:_FOLDER_FILES]:
            head = _head(path)
            found = _format_of_file(path, head)
            if found == "cvat" and path != folder / "annotations.xml":
                continue
            if found in formats and (found != "coco" or _COCO_KEY.search(head)):
                return found
    return "masks" if list_files(folder, MASK_SUFFIXES) else None


def _is_yolo(head: str) -> bool:
    """Whether the first line is one of YOLO's; an empty file stands for an image without objects."""
    lines = head.strip().splitlines()
    return not lines or _YOLO_LINE.fullmatch(lines[0].strip()) is not None


def _head(path: Path) -> str:
    with ordinary_file(path).open("rb") as file:
        return file.read(_HEAD_BYTES).decode("utf-8-sig", errors="replace").lstrip()
