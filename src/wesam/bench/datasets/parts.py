"""Images with masks as data sets lay them out: a mask file beside each image, or one COCO file for all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from wesam.errors import WesamError
from wesam.labels.assemble import LabelBuilder, Mark
from wesam.labels.coco import read_coco
from wesam.labels.folder import ImageFile
from wesam.labels.images import read_image, read_values
from wesam.labels.label_set import LabelSet
from wesam.labels.mask_folder import numbers_to_rles
from wesam.masks import Rle
from wesam.untrusted import read_json, stay_inside

#: From a mask file and the image's path relative to the data set's folder to a number an object, (H, W), 0 elsewhere.
Objects = Callable[[Path, PurePosixPath], NDArray[np.uint8 | np.int32]]

_HALF = 128  # of 255: greys at the edge of a mask that was resized or saved as JPEG


def bright(mask: Path) -> NDArray[np.bool_]:
    """(H, W): where a mask of black and white is nearer to white, whether it counts to 1 or to 255."""
    grey = read_image(mask).mean(axis=2)
    return np.asarray(grey >= (_HALF if grey.max() > 1 else 1))


def one_object(mask: Path, image: PurePosixPath) -> NDArray[np.uint8]:
    """All that is bright is one object, however many parts it has."""
    return bright(mask).astype(np.uint8)


def connected_parts(mask: Path, image: PurePosixPath) -> NDArray[np.int32]:
    """Each connected part (8 neighbours) of what is bright is one object."""
    _, parts = cv2.connectedComponents(bright(mask).astype(np.uint8), connectivity=8)
    return np.asarray(parts, np.int32)


def numbers(*background: int) -> Objects:
    """Each number that a file stores (of a palette, the index) is one object, but 0 and `background`."""

    def objects(mask: Path, image: PurePosixPath) -> NDArray[np.uint8 | np.int32]:
        values, coloured = read_values(mask)
        if coloured:
            raise WesamError(f"{mask}: expected a mask that stores a number an object, got one of colours")
        values[np.isin(values, background)] = 0
        return values

    return objects


def clutter(mask: Path, image: PurePosixPath) -> NDArray[np.uint8 | np.int32]:
    """OCID: 1 is the floor, or what the table stands on; in the sequences on a table, 2 is the table."""
    support = (1, 2) if "table" in image.parts else (1,)
    return numbers(*support)(mask, image)


@dataclass(frozen=True)
class Masks:
    """One mask file an image.

    Attributes:
        images: pattern of the images, relative to the data set's folder.
        mask: path of an image's mask: "{stem}" is the image's name without suffix, "{above}" the folder above its own.
        objects: how a mask file is read.
        all_labelled: whether an image without a mask is worth a word.
        order: a JSON file whose keys, names without suffix, tell the images' order; None for that of their paths.
    """

    images: str
    mask: str
    objects: Objects
    all_labelled: bool = True
    order: str | None = None

    def read(self, root: Path, variant: str) -> LabelSet:
        """See `entry.Part`."""
        try:
            builder = LabelBuilder(self.images, root)
            paths = self._paths(root)
        except WesamError as error:
            return LabelSet.unusable(root, error)
        bare = []
        for path in paths:
            name = PurePosixPath(path.relative_to(root).as_posix())
            mask = root / self.mask.format(stem=name.stem, above=name.parent.parent)
            if not mask.is_file():
                bare.append(str(name))
                continue
            builder.file = mask.relative_to(root).as_posix()
            file = builder.claim("", builder.folder.find, str(name))
            rles = None if file is None else builder.attempt("", self._objects, mask, root, file)
            if file is not None and rles is not None:
                builder.add(file, [Mark(f"object {number}", rle=rle) for number, rle in rles.items()])
        if bare and self.all_labelled:
            builder.file = self.images
            builder.tell("", f"{len(bare)} images have no mask {self.mask}: {', '.join(bare[:3])}")
        return builder.build()

    def _paths(self, root: Path) -> list[Path]:
        paths = sorted(root.glob(self.images), key=lambda path: path.relative_to(root).as_posix())
        if not paths:
            raise WesamError(f"{root / self.images}: expected images, found none")
        if self.order is None:
            return paths
        listed = read_json(root / self.order, "a JSON object with a key an image")
        if not isinstance(listed, dict):
            raise WesamError(f"{root / self.order}: expected an object with a key an image, got another value")
        place = {name: number for number, name in enumerate(listed)}
        return sorted((path for path in paths if path.stem in place), key=lambda path: place[path.stem])

    def _objects(self, mask: Path, root: Path, file: ImageFile) -> dict[int, Rle]:
        values = self.objects(stay_inside(mask, root), PurePosixPath(file.id))
        if values.shape != (file.height, file.width):
            height, width = values.shape
            raise WesamError(
                f"expected a mask of {file.width} x {file.height} px, the size of {file.id!r}, got {width} x {height}"
            )
        rles: dict[int, dict[str, Any]] = numbers_to_rles(values)
        return rles


@dataclass(frozen=True)
class CocoFile:
    """One COCO file for all images of a folder; crowd regions are left out.

    Attributes:
        images: the folder, relative to the data set's; "{variant}" in it stands for one.
        labels: the file, likewise.
    """

    images: str
    labels: str

    def read(self, root: Path, variant: str) -> LabelSet:
        """See `entry.Part`; in the order of file names."""
        folder = self.images.format(variant=variant)
        found = read_coco(root / self.labels, root / folder)
        named = (replace(sample, id=f"{folder}/{sample.id}") for sample in found.samples)
        return LabelSet(tuple(sorted(named, key=lambda sample: sample.id)), found.problems)
