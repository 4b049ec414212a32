"""A folder of masks, PNG or TIFF: one an image, of its size and name (``masks/site/0001.png`` for ``site/0001.jpg``).

0 is background. A set in which no mask has more than one other number, and that is 1, 255 or 65535, is *binary*: as it
has no other way to tell objects apart, each connected part of a mask (8 neighbours) is one. In any other set each
number is one object, however many parts it has. To keep the parts of a binary mask together, write another number,
such as 2.
A file of several pages has one object a page.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from wesam.errors import WesamError
from wesam.labels.assemble import LabelBuilder, Mark
from wesam.labels.derived import MASK_ENDINGS
from wesam.labels.files import label_files
from wesam.labels.format import Format
from wesam.labels.images import frames, read_value_pages, read_values
from wesam.labels.label_set import LabelSet
from wesam.labels.mask_per_object import image_of_object

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from wesam.labels.folder import ImageFile, ImageFolder

# Endings that tools and data sets put behind the image's name.
_ENDINGS = ("", *MASK_ENDINGS)

#: What an object of a mask may be said to be: each connected part of a number, or all of it.
INSTANCES = ("components", "values")

# More numbers than this are a photograph or a depth map, not instances.
MAX_OBJECTS = 10_000

#: What masks are written as: nothing that loses pixels.
SUFFIXES = frozenset({".png", ".tif", ".tiff"})

# A photograph has more, and seldom black.
MAX_COLOURS = 1000

_VOID = 255

# The one number of a binary mask: 1, or white of 8 or 16 bits.
_BINARY = ({1}, {255}, {65535})

# Resizing or JPEG leaves greys at the edges of a binary mask: few pixels of it.
_EDGE_SHARE = 0.05

_Rle = dict[str, Any]


def read_masks(labels: Path, images: Path, instances: str | None = None) -> LabelSet:
    """Reads a folder of masks, PNG or TIFF: grey or palette (by index), 1 to 16 bits, or one colour an object on black.

    Beside other numbers of 8 bits 255 is no object but Pascal VOC's "void", unless 254 is there too.

    Args:
        labels: the folder of masks.
        images: the folder of the images. A mask may also be called as the image with one of "_mask", "_masks",
            "_cp_masks", "_seg", "_segmentation", "_Segmentation", "_gt" behind it. It may be the folder of the masks.
            Masks of one object each may lie in a folder for each image (see `mask_per_object`).
        instances: one of `INSTANCES`; None: as the masks look.

    Returns:
        The images found, with their instances (masks alone), and every problem.
    """
    try:
        builder = LabelBuilder(labels.name, images)
        files = label_files(labels, SUFFIXES, "masks as PNG or TIFF")
    except WesamError as error:
        return LabelSet.unusable(labels, error)
    one_folder = labels.is_dir() and labels.samefile(images)
    found: list[tuple[str, ImageFile, dict[int, _Rle]]] = []
    stacks: set[str] = set()
    by_image: dict[str, tuple[ImageFile, list[tuple[Path, Path]]]] = {}
    masks_of: dict[str, list[str]] = {}
    used: set[Path] = set()
    voids = 0
    for path, name in files:
        builder.file, told = name.as_posix(), len(builder.problems)
        of_object = builder.attempt("", image_of_object, builder.folder, path, PurePosixPath(name))
        if len(builder.problems) > told:
            builder.cost(1, told)
            continue
        if of_object is not None:
            by_image.setdefault(of_object.id, (of_object, []))[1].append((path, name))
            used.add(path)
            continue
        file = builder.attempt("", _find, builder.folder, path, name.with_suffix("").as_posix(), one_folder)
        numbered = None if file is None else builder.attempt("", _numbered, path, file)
        if file is not None and numbered is not None:
            found.append((builder.file, replace(file, sized=True), numbered[0]))
            voids += numbered[1]
            stacks |= {builder.file} if numbered[2] else set()
        if file is not None:
            builder.found(file)
            masks_of.setdefault(file.id, []).append(builder.file)
            used.add(path)
        builder.cost(1, told)
    for image_id, (_, own) in by_image.items():
        masks_of.setdefault(image_id, []).append(own[0][1].parent.as_posix())
    doubtful = {image_id: names for image_id, names in masks_of.items() if len(names) > 1}
    _leave_out(doubtful, builder)
    found = [one for one in found if one[1].id not in doubtful]
    by_image = {image_id: one for image_id, one in by_image.items() if image_id not in doubtful}
    binary = all(set(masks) in _BINARY for name, _, masks in found if masks and name not in stacks)
    parts = instances == "components" or (instances is None and binary)
    for name_of_mask, file, masks in found:
        builder.file = name_of_mask
        stack = name_of_mask in stacks
        what = "page" if stack else "value"
        numbers = [Mark(f"{what} {number}", rle=rle) for number, rle in masks.items()]
        marks = _parts(masks, builder) if parts and not stack else numbers
        builder.add(file, marks)
    for file, own in by_image.values():
        _add_objects(file, own, builder)
    if voids:
        builder.file = labels.name
        builder.tell("", f"255 beside other numbers is read as void, not as an object, in {voids} of the masks", "note")
    made = builder.build()
    # Masks in the folder of the images are no images without labels.
    inside = {path.relative_to(images).as_posix() for path in used if path.is_relative_to(images)}
    left_out = made.left_out | (inside - {sample.id for sample in made.samples})
    return replace(made, left_out=left_out, pieces_chosen=parts or instances is not None or not found)


def _add_objects(file: ImageFile, masks: list[tuple[Path, Path]], builder: LabelBuilder) -> None:
    """Takes masks of one object each into the set; the file of their labels is their folder."""
    builder.file = masks[0][1].parent.as_posix()
    builder.found(file)
    marks = []
    for path, name in masks:
        numbered = builder.attempt_object(name.name, _numbered, path, file)
        rles = list(numbered[0].values()) if numbered is not None else []
        if rles:
            marks.append(Mark(name.name, rle=coco_mask.merge(rles) if len(rles) > 1 else rles[0]))
    builder.add(replace(file, sized=True), marks)


def _leave_out(doubtful: dict[str, list[str]], builder: LabelBuilder) -> None:
    """Says of images that have several masks, of which one may be a prediction, that none counts."""
    for image_id, names in doubtful.items():
        for name in names:
            others = " and ".join(other for other in names if other != name) or name
            builder.file = name
            builder.tell("", f"expected one mask of {image_id!r}, got {others} too; keep the right one among --labels")
            builder.cost(1, len(builder.problems) - 1)


def _find(folder: ImageFolder, path: Path, stem: str, one_folder: bool) -> ImageFile | None:
    """The image of that name, else of the name without an ending; None where images and masks lie in one folder, and
    this is one of the images."""
    for ending in _ENDINGS:
        if stem.endswith(ending):
            try:
                file = folder.find_stem(stem.removesuffix(ending), but=path)
            except WesamError:
                continue
            if one_folder and not ending and file.path.suffix.lower() in SUFFIXES:
                raise WesamError(
                    f"expected to tell the image from its mask, got {file.id!r} of the same name: which is the mask? "
                    f"Call it {path.stem}_mask, or keep masks in a folder of their own"
                )
            return file
    if one_folder:
        return None
    return folder.find_stem(stem, but=path)  # its message speaks of the mask's whole name


def _of_pages(path: Path, file: ImageFile) -> dict[int, _Rle]:
    """The mask in each page of a file, by the page's number from 1."""
    if frames(file.path) > 1:
        raise WesamError(
            f"expected a mask of one page for {file.id!r}, which has several itself, got several: save the page that "
            f"belongs to the image's as a mask of its own"
        )
    masks: dict[int, _Rle] = {}
    for page, (values, _) in enumerate(read_value_pages(path), start=1):
        if page > MAX_OBJECTS:
            raise WesamError(f"expected at most {MAX_OBJECTS} pages, one an object, got more")
        _check(values, file)
        found = numbers_to_rles(values)
        if len(found) > 1:
            raise WesamError(
                f"expected one object a page in a mask of several pages, got {len(found)} numbers in page {page}: if "
                f"pages are planes, save that of the image as a mask of its own"
            )
        if found:
            masks[page] = next(iter(found.values()))
    return masks


def _check(values: NDArray[np.uint8 | np.int32], file: ImageFile) -> None:
    if values.shape != (file.height, file.width):
        hint = " (made without its EXIF rotation?)" if values.shape == (file.width, file.height) else ""
        raise WesamError(
            f"expected a mask of {file.width} x {file.height} px, the size of {file.id!r}, "
            f"got {values.shape[1]} x {values.shape[0]}{hint}"
        )
    if values.min() < 0:
        raise WesamError(f"expected numbers from 0 on, got {values.min()}")


def _numbered(path: Path, file: ImageFile) -> tuple[dict[int, _Rle], bool, bool]:
    """The mask of each number of a file but 0; whether one of them was void; whether the numbers are those of pages."""
    if frames(path) > 1:
        return _of_pages(path, file), False, True
    values, coloured = read_values(path)
    _check(values, file)
    numbers, counts = np.unique(values[values > 0], return_counts=True)
    if coloured:
        if len(numbers) > MAX_COLOURS or values.all():
            raise WesamError(
                f"expected numbers, or at most {MAX_COLOURS} colours on black, one an object, got {len(numbers)} "
                f"colours {'without black' if values.all() else 'and black'} (an image that is no mask?)"
            )
        return numbers_to_rles(values), False, False
    if len(numbers) > MAX_OBJECTS:
        raise WesamError(f"expected at most {MAX_OBJECTS} numbers, one an object, got {len(numbers)}")
    # Files of 16 bits count their objects beyond 255.
    void = values.dtype == np.uint8 and len(numbers) > 1 and numbers[-1] == _VOID and numbers[-2] != _VOID - 1
    if void:
        if counts[:-1].sum() < _EDGE_SHARE * counts.sum():
            raise WesamError(
                f"expected 0 and 255, or one number an object, got 255 and {len(numbers) - 1} greys on few pixels "
                "(a mask that was resized, or a JPEG once?)"
            )
        values[values == _VOID] = 0
    return numbers_to_rles(values), void, False


def _parts(masks: dict[int, _Rle], builder: LabelBuilder) -> list[Mark]:
    """The connected parts of each mask."""
    marks = []
    for value, rle in masks.items():
        count, parts = cv2.connectedComponents(coco_mask.decode(rle), connectivity=8)
        if count - 1 > MAX_OBJECTS:
            builder.tell("", f"expected at most {MAX_OBJECTS} connected parts, one an object, got {count - 1}")
            return []
        of_value = f"value {value} " if len(masks) > 1 else ""
        marks += [Mark(f"{of_value}part {part}", rle=own) for part, own in numbers_to_rles(parts).items()]
    return marks


def numbers_to_rles(values: NDArray[np.uint8 | np.int32]) -> dict[int, _Rle]:
    """The mask of each number of an image but 0, in COCO compressed run-length encoding.

    It sorts the pixels once, where a comparison for each number would look at all of them hundreds of times.

    Args:
        values: (H, W) uint8 or int32, 0 or more.
    """
    flat = values.ravel(order="F")  # COCO's runs go down the columns
    pixels = flat.nonzero()[0]
    pixels = pixels[np.argsort(flat[pixels], kind="stable")]
    numbers, starts = np.unique(flat[pixels], return_index=True)
    rles = {}
    for number, own in zip(numbers.tolist(), np.split(pixels, starts[1:]), strict=False):
        gaps = np.flatnonzero(np.diff(own) > 1)
        begins, ends = own[np.r_[0, gaps + 1]], own[np.r_[gaps, -1]] + 1
        edges = np.r_[0, np.stack([begins, ends], axis=1).ravel(), flat.size]
        size = list(values.shape)
        rles[number] = coco_mask.frPyObjects({"size": size, "counts": np.diff(edges).tolist()}, *size)
    return rles


MASKS = Format(
    read_masks,
    "masks: a folder of .png or .tif files",
    is_file=lambda path, head: False,
    suffixes=tuple(sorted(SUFFIXES)),
    is_folder=lambda folder, file, head: True,
    variants={name: partial(read_masks, instances=name) for name in INSTANCES},
)
