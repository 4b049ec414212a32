"""Files from anywhere: how large they may be, where links may lead, and parsing that never runs or fetches anything.

Three limits guard against files that were made to exhaust a machine or to leave their folder. They belong to the
machine, not to a run, so they are environment variables, which reach every command and loader process:

* ``WESAM_MAX_PIXELS``: largest width x height of an image that is decoded.
* ``WESAM_MAX_LABEL_BYTES``: largest label or settings file that is read.
* ``WESAM_FOLLOW_LINKS=1``: follow symbolic links that lead out of a folder of images or labels.
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.parsers.expat import ErrorString

import yaml

from wesam.errors import WesamError

# Decoded to RGB this is 600 MB: more than any photograph, less than a file made to exhaust the memory.
_MAX_PIXELS = 200_000_000

# Twice the labels of COCO 2017 train (0.45 GB). Parsed JSON takes up to twenty times its size.
_MAX_LABEL_BYTES = 2**30

# PyYAML reads about a megabyte in ten seconds, and no settings come near that.
_MAX_YAML_BYTES = 2**20


def max_pixels() -> int:
    """Largest width x height of an image that is decoded."""
    return _number("WESAM_MAX_PIXELS", _MAX_PIXELS)


def max_label_bytes() -> int:
    """Largest label file that is read."""
    return _number("WESAM_MAX_LABEL_BYTES", _MAX_LABEL_BYTES)


def follow_links() -> bool:
    """Whether links out of a folder are followed."""
    return bool(_number("WESAM_FOLLOW_LINKS", 0))


def _number(variable: str, default: int) -> int:
    text = os.environ.get(variable, "")
    if text and not (text.isdecimal() and text.isascii()):
        raise WesamError(f"{variable}: expected a whole number in the environment, got {text!r}")
    return int(text) if text else default


def stay_inside(path: Path, folder: Path) -> Path:
    """The path itself.

    Raises:
        WesamError: if a symbolic link on the way from `folder` to it leads out of `folder`, unless links are followed.
    """
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError) as error:  # links in a circle
        raise WesamError(f"{path}: expected a file, got a link that leads nowhere ({error})") from error
    if not inside and not follow_links():
        raise WesamError(
            f"{path}: expected a file inside {folder}, got a link that leads out of it; "
            f"if you trust it, set WESAM_FOLLOW_LINKS=1 in the environment"
        )
    return path


def ordinary_file(path: Path) -> Path:
    """The path itself, of a file that can be opened safely: a pipe or a device could keep its reader waiting for ever.

    Raises:
        OSError: if there is no ordinary file.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError("a folder, pipe or device")
    return path


def read_bytes(path: Path, what: str, limit: int | None = None) -> bytes:
    """All of a file.

    Args:
        path: the file.
        what: what it should be, in the message of the error.
        limit: most bytes it may have; None for `max_label_bytes`.

    Raises:
        WesamError: if it cannot be read or is larger than that.
    """
    most = max_label_bytes() if limit is None else limit
    try:
        with ordinary_file(path).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            content = file.read(most + 1) if size <= most else b""
    except OSError as error:
        raise WesamError(f"{path}: expected a {what} file, got {error.strerror or error}") from error
    except ValueError as error:  # a name with a NUL
        raise WesamError(f"{str(path)!r}: expected a {what} file, got {error}") from error
    if max(size, len(content)) > most:
        hint = "" if limit else "; if you trust it, set WESAM_MAX_LABEL_BYTES in the environment"
        raise WesamError(f"{path}: expected {what} of at most {most} bytes, got {size}{hint}")
    return content


def read_text(path: Path, what: str, limit: int | None = None) -> str:
    """A UTF-8 file, with or without byte order mark.

    Raises:
        WesamError: if it cannot be read; the message says `what` was expected.
    """
    content = read_bytes(path, what, limit)
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
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


def read_yaml(path: Path, what: str) -> Any:
    """The value of a YAML file of plain values, as `parse_yaml` has it.

    Raises:
        WesamError: if it cannot be read; the message says `what` was expected.
    """
    text = read_text(path, what, _MAX_YAML_BYTES)
    try:
        return parse_yaml(text)
    except WesamError as error:
        raise WesamError(f"{path}: expected {what}: {error}") from error


def parse_yaml(text: str) -> Any:
    """The value of YAML with neither tags that make objects nor references, which a few lines can multiply to any size.

    Raises:
        WesamError: saying what is wrong.
    """
    try:
        return yaml.load(text, _PlainLoader)
    except WesamError:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1} column {mark.column + 1}: " if mark is not None else ""
        raise WesamError(f"{place}{error.problem or error.context}") from error
    except Exception as error:  # constructors of PyYAML raise nearly anything on values such as !!int "" or 2001-99-99
        raise WesamError(" ".join(str(error).split()) or type(error).__name__) from error


class _PlainLoader(yaml.SafeLoader):
    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise WesamError("a reference (*...) instead of the value itself")
        return super().compose_node(parent, index)


def read_xml(path: Path, root: str, what: str) -> ElementTree.Element:
    """The root element of an XML file.

    A document type declaration is refused: no label format has one, and without it there are no entities to
    expand without end or to fetch from elsewhere.

    Raises:
        WesamError: if it cannot be read, is not XML, declares a document type or has another root element.
    """
    content = read_bytes(path, what)
    parser = ElementTree.XMLParser(target=_NoDoctype())
    try:
        parser.feed(content)
        element: ElementTree.Element = parser.close()
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
