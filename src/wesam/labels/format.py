"""What a label format is: its reader, and how its files are recognised."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wesam.labels.label_set import LabelSet

Reader = Callable[[Path, Path], LabelSet]

# Text that is neither JSON nor XML, whatever it begins with.
_PLAIN = frozenset({".csv", ".tsv", ".yaml", ".yml", ".txt"})


@dataclass(frozen=True)
class Format:
    """A label format.

    Attributes:
        read: its reader, of a label file or folder and the folder of images.
        looks: what a file or folder in it looks like, for the message that none was recognised.
        is_file: whether a file is in it, by its path and its beginning (text, without spaces before it).
        suffixes: of the files (lower case, with dot) by which a folder in it is recognised; none: it is always a file.
        is_folder: whether a folder is in it, by the folder, such a file in it, and that file's beginning. None: if
            `is_file` says so of the file.
        variants: other readers, by what a user writes behind the name ("masks:values").
        upright: whether its tool shows images upright, turned by their EXIF orientation.
        percent: whether it has percentages of the image's size.
    """

    read: Reader
    looks: str
    is_file: Callable[[Path, str], bool]
    suffixes: tuple[str, ...] = ()
    is_folder: Callable[[Path, Path, str], bool] | None = None
    variants: Mapping[str, Reader] = field(default_factory=dict)
    upright: bool = False
    percent: bool = False

    def is_folder_of(self, folder: Path, file: Path, head: str) -> bool:
        """Whether a file that lies in a folder says that the folder is in this format."""
        return self.is_file(file, head) if self.is_folder is None else self.is_folder(folder, file, head)


def is_json(path: Path, head: str) -> bool:
    """Whether a file is JSON, by its name or its beginning."""
    suffix = path.suffix.lower()
    return suffix == ".json" or (suffix not in _PLAIN and head.startswith(("{", "[")))


def has_xml_root(path: Path, head: str, root: str) -> bool:
    """Whether a file is XML with this root element, by its beginning."""
    if path.suffix.lower() in _PLAIN or is_json(path, head):
        return False
    at = head.find(f"<{root}")
    return at >= 0 and head[at + len(root) + 1 : at + len(root) + 2] in (" ", "\t", "\n", "\r", "/", ">")
