"""Label files as they lie on disk: found, and parsed without trusting them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree
from xml.parsers.expat import ErrorString

from wesam.errors import WesamError

if TYPE_CHECKING:
    from collections.abc import Collection


def list_files(folder: str | Path, suffixes: Collection[str]) -> list[Path]:
    """Every file in a folder and its sub-folders with one of `suffixes` (lower case, with dot), in a fixed order.

    Hidden files and folders (names with a leading dot) are left out.

    Raises:
        WesamError: if the folder does not exist.
    """
    root = Path(folder)
    if not root.is_dir():
        raise WesamError(f"{root}: expected a folder, found no such folder")
    found = []
    for directory, subfolders, names in os.walk(root):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
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
        WesamError: if there is none.
    """
    if labels.is_file():
        return [(labels, Path(labels.name))]
    found = list_files(labels, suffixes)
    if not found:
        raise WesamError(f"{labels}: expected {what}, found none ({', '.join(sorted(suffixes))})")
    return [(path, path.relative_to(labels)) for path in found]


def read_text(path: Path, what: str) -> str:
    """A UTF-8 file, with or without byte order mark.

    Raises:
        WesamError: if it cannot be read; the message says `what` was expected.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise WesamError(f"{path}: expected a {what} file, got {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise WesamError(f"{path}: expected {what} in UTF-8, got {error}") from error


def read_json(path: Path, what: str) -> Any:
    """The value of a JSON file.

    Raises:
        WesamError: if it cannot be read or is not JSON; the message says `what` was expected, and the line.
    """
    text = read_text(path, what)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise WesamError(f"{path}: line {error.lineno} column {error.colno}: expected JSON, got {error.msg}") from error
    except (ValueError, RecursionError) as error:  # numbers of absurd length, absurd nesting
        raise WesamError(f"{path}: expected {what}, got {error}") from error


def read_xml(path: Path, root: str, what: str) -> ElementTree.Element:
    """The root element of an XML file.

    A document type declaration is refused: no label format has one, and without it there are no entities to
    expand without end or to fetch from elsewhere.

    Raises:
        WesamError: if it cannot be read, is not XML, declares a document type or has another root element.
    """
    parser = ElementTree.XMLParser(target=_NoDoctype())
    try:
        parser.feed(path.read_bytes())
        element: ElementTree.Element = parser.close()
    except OSError as error:
        raise WesamError(f"{path}: expected a {what} file, got {error.strerror or error}") from error
    except ElementTree.ParseError as error:
        line, column = error.position
        message = ErrorString(error.code)
        raise WesamError(f"{path}: line {line} column {column + 1}: expected XML, got {message}") from error
    except WesamError as error:
        raise WesamError(f"{path}: {error}") from error
    except (ValueError, LookupError) as error:  # an encoding nobody knows
        raise WesamError(f"{path}: expected {what}, got {error}") from error
    if element.tag != root:
        raise WesamError(f"{path}: expected {what} with the root element <{root}>, got <{element.tag}>")
    return element


class _NoDoctype(ElementTree.TreeBuilder):
    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        # What Expat reads before it comes to the end of its input is bounded: since 2.4.1, which CPython brings.
        raise WesamError("expected XML without <!DOCTYPE ...>, which could hide an entity bomb, got one")
