"""Masks of one object each, in a folder for each image, as the Data Science Bowl 2018 has them::

ID/images/ID.png
ID/masks/1.png, ID/masks/2.png, ...

The masks may also lie in a folder that is called as the image: ``masks/0001/1.png`` for ``images/0001.jpg``.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from wesam.errors import WesamError
from wesam.labels.files import list_files
from wesam.labels.images import SUFFIXES

if TYPE_CHECKING:
    from pathlib import Path

    from wesam.labels.folder import ImageFile, ImageFolder


def image_of_object(folder: ImageFolder, path: Path, name: PurePosixPath) -> ImageFile | None:
    """The image that a mask shows one object of; None where masks are not laid out so.

    Args:
        folder: of the images.
        path: the mask.
        name: its path relative to the labels.

    Raises:
        WesamError: if there are several images where one must be.
    """
    if name.parent == PurePosixPath("."):
        return None
    if name.parent.name == "masks":
        beside = folder.root / name.parent.parent / "images"
        images = list_files(beside, SUFFIXES) if beside.is_dir() else []
        if len(images) > 1 and _stands_alone(folder, name, path):
            raise WesamError(f"expected one image in {beside} beside its masks, got {len(images)}")
        if len(images) == 1:
            return folder.find(images[0].relative_to(folder.root).as_posix())
    if not _stands_alone(folder, name, path):
        return None
    parent = name.parent.parent if name.parent.name == "masks" else name.parent
    try:
        return folder.find_stem(parent.as_posix(), but=path)
    except WesamError:
        return None


def _stands_alone(folder: ImageFolder, name: PurePosixPath, path: Path) -> bool:
    """Whether no image has the mask's own name, as it has where a mask shows all objects."""
    try:
        folder.find_stem(name.with_suffix("").as_posix(), but=path)
    except WesamError:
        return True
    return False
