"""Files as they lie on disk, found in a fixed order."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from wesam.errors import WesamError
from wesam.labels.containers import refuse_labels
from wesam.untrusted import follow_links, stay_inside

if TYPE_CHECKING:
    from collections.abc import Collection


# In a folder that holds pictures of results: within a folder of images they would be taken for images of their own.
OUTPUT_MARK = ".wesam-output"


def mark_as_output(folder: Path) -> None:
    """Keeps a folder that exists out of `list_files` of the folders above it."""
    (folder / OUTPUT_MARK).touch()


def list_files(folder: str | Path, suffixes: Collection[str]) -> list[Path]:
    """Every file in a folder and its sub-folders with one of `suffixes` (lower case, with dot), in a fixed order.

    Hidden files and folders (names with a leading dot) are left out, and sub-folders that hold pictures which this
    package drew (`mark_as_output`). Links to folders are entered only if links are
    followed (`untrusted`), and no folder is entered twice.

    Raises:
        WesamError: if the folder does not exist.
    """
    root = Path(folder)
    if not root.is_dir():
        raise WesamError(f"{root}: expected a folder, found no such folder")
    found: list[Path] = []
    entered: set[str] = set()
    for directory, subfolders, names in os.walk(root, followlinks=follow_links()):
        place = os.path.realpath(directory)
        if place in entered:  # a link to a folder above it
            subfolders.clear()
            continue
        entered.add(place)
        if OUTPUT_MARK in names and Path(directory) != root:
            subfolders.clear()
            continue
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        found += [
            Path(directory, name)
            for name in names
            if not name.startswith(".") and Path(name).suffix.lower() in suffixes
        ]
    return sorted(found, key=lambda path: path.relative_to(root).as_posix())


def label_files(labels: Path, suffixes: Collection[str], what: str) -> list[tuple[Path, Path]]:
    """The files of a format that has one for each image, each with its path relative to the labels.

    Args:
        labels: a folder of such files, or one of them.
        suffixes: lower case, with dot.
        what: what is looked for, in the message of the error.

    Raises:
        WesamError: if there is none, or one is a link out of the folder.
    """
    if labels.is_file():
        return [(labels, Path(labels.name))]
    found = list_files(labels, suffixes)
    if not found:
        refuse_labels(labels)
        raise WesamError(f"{labels}: expected {what}, found none ({', '.join(sorted(suffixes))})")
    return [(stay_inside(path, labels), path.relative_to(labels)) for path in found]
