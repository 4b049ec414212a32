"""The label formats there are, and which of them a file or folder is in. A new one is a file, and a `register`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from wesam.errors import WesamError
from wesam.labels.coco import COCO
from wesam.labels.containers import refuse_labels
from wesam.labels.csv_table import CSV
from wesam.labels.cvat import CVAT
from wesam.labels.files import list_files
from wesam.labels.format import Format
from wesam.labels.label_set import LabelSet
from wesam.labels.label_studio import LABEL_STUDIO
from wesam.labels.labelme import LABELME
from wesam.labels.mask_folder import MASKS
from wesam.labels.pascal_voc import VOC
from wesam.labels.sa1b import SA1B
from wesam.labels.yolo import YOLO
from wesam.untrusted import ordinary_file

# Enough of a file to see what it is; a COCO file may have hundreds of megabytes.
_HEAD_BYTES = 65536

# As much of a folder: one file that was left among the labels must not decide.
_FOLDER_FILES = 20

_FORMATS: dict[str, Format] = {}


def register(name: str, format: Format) -> None:
    """Makes a format known under the name that `--format` takes. It is tried before all that were known already.

    Raises:
        ValueError: if the name is taken by another one.
    """
    if _FORMATS.get(name, format) is not format:
        raise ValueError(f"expected a name that is free, got {name!r}")
    known = dict(_FORMATS)
    _FORMATS.clear()
    _FORMATS.update({name: format, **known})


def known_formats() -> dict[str, Format]:
    """By name, in alphabetical order."""
    return dict(sorted(_FORMATS.items()))


def read_labels(labels: str | Path, images: str | Path, format: str | None = None) -> LabelSet:
    """Reads labels in any format.

    Args:
        labels: a file or a folder.
        images: folder of images.
        format: one of `known_formats`; None to tell by the content. A variant of it may be behind it: what the objects
            of masks are, "masks:components" or "masks:values".

    Returns:
        The images found, with their usable instances, and every problem; one fatal problem if the format of `labels`
        is not recognised.

    Raises:
        WesamError: if `format` is not known.
    """
    labels, images = Path(labels), Path(images)
    if format is None:
        try:
            format = detect_format(labels)
        except WesamError as error:
            return LabelSet.unusable(labels, error)
    name, _, variant = format.partition(":")
    if name not in _FORMATS or (variant and variant not in _FORMATS[name].variants):
        raise WesamError(f"format: expected one of {', '.join(known_formats())}, got {format!r}")
    known = _FORMATS[name]
    read = known.variants[variant] if variant else known.read
    found = read(labels, images)
    return replace(found, upright=found.upright or known.upright, percent=known.percent)


def detect_format(labels: Path) -> str:
    """The format of a file or folder, one of `known_formats`, from names and the beginnings of files alone.

    Raises:
        WesamError: if it does not exist or looks like none of them.
    """
    try:
        found = _format_of_folder(labels) if labels.is_dir() else _format_of_file(labels)
    except OSError as error:
        raise WesamError(f"{labels}: expected a label file or folder, got {error.strerror or error}") from error
    if found is None:
        refuse_labels(labels)
        looked_for = "; ".join(format.looks for format in known_formats().values())
        raise WesamError(
            f"{labels}: expected labels in a format that is known, got none of these: {looked_for}; "
            f"if it is one, name it with --format"
        )
    return found


def _format_of_file(path: Path) -> str | None:
    head = _head(path)
    return next((name for name, format in _FORMATS.items() if format.is_file(path, head)), None)


def _format_of_folder(folder: Path) -> str | None:
    """By what lies in it: files of the same kind together, the first one that is labels decides."""
    for suffixes in dict.fromkeys(format.suffixes for format in _FORMATS.values() if format.suffixes):
        able = {name: format for name, format in _FORMATS.items() if format.suffixes == suffixes}
        for path in list_files(folder, suffixes)[:_FOLDER_FILES]:
            head = _head(path)
            for name, format in able.items():
                if format.is_folder_of(folder, path, head):
                    return name
    return None


def _head(path: Path) -> str:
    with ordinary_file(path).open("rb") as file:
        return file.read(_HEAD_BYTES).decode("utf-8-sig", errors="replace").lstrip()


# The last one is tried first. Masks come first: images may lie beside the labels in a folder, and are no masks then.
# Any JSON object may be COCO's, whose reader says what is wrong with it.
register("masks", MASKS)
register("csv", CSV)
register("yolo", YOLO)
register("voc", VOC)
register("cvat", CVAT)
register("coco", COCO)
register("labelme", LABELME)
register("sa1b", SA1B)
register("label-studio", LABEL_STUDIO)
