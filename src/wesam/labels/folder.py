"""From the image names in a label file, which nobody vouches for, to files in the user's image folder."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

from wesam.errors import WesamError
from wesam.labels.images import image_size, list_images


@dataclass(frozen=True)
class ImageFile:
    """An image that was found.

    Attributes:
        id: its path relative to the image folder, with forward slashes (becomes `Sample.id`).
        path: the file.
        width, height: size in pixels after EXIF orientation.
    """

    id: str
    path: Path
    width: int
    height: int


class ImageFolder:
    """The folder that the file names of a label file are relative to.

    Raises:
        WesamError: if it does not exist.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise WesamError(f"{root}: expected a folder of images, found no such folder")
        self.root = root

    def find(self, name: str) -> ImageFile:
        """The image a label file calls `name`: a relative path, with either kind of slash.

        Where no file has exactly that name, one that is the same text in another Unicode normal form will
        do: macOS writes decomposed names and labelling tools composed ones.

        Raises:
            WesamError: if the name leads out of the folder (absolute, or with ".."), no such file exists, or
                it is not an image.
        """
        forward = PurePosixPath(name.replace("\\", "/"))
        if ".." in forward.parts or forward.is_absolute() or PureWindowsPath(name).is_absolute():
            raise WesamError(f"expected a path inside the image folder, got {name!r}")
        path = self.root / name
        if not _is_file(path):
            path = self.root / forward
        if not _is_file(path):
            path = self._by_normal_form.get(_normal_form(forward), path)
        if not _is_file(path):
            raise WesamError(f"expected an image file {str(self.root / forward)!r}, found none")
        width, height = image_size(path)
        return ImageFile(path.relative_to(self.root).as_posix(), path, width, height)

    @cached_property
    def _by_normal_form(self) -> dict[str, Path]:
        return {_normal_form(path.relative_to(self.root)): path for path in list_images(self.root)}


def _normal_form(name: PurePath) -> str:
    return unicodedata.normalize("NFC", name.as_posix())


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have: too long, or with a NUL
        return False
