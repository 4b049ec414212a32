"""Image files in, 8-bit RGB pixels out, whatever a camera, scanner or microscope wrote."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from wesam.errors import WesamError
from wesam.labels.files import list_files
from wesam.labels.raster import (
    explained,
    is_jpeg,
    raster_orientation,
    raster_pages,
    raster_size,
    read_pages,
    read_raster,
    verify_jpeg,
)
from wesam.labels.values import to_numbers, to_rgb
from wesam.types import AS_TAGGED, ImageReading

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from wesam.types import Sample

SUFFIXES = frozenset({".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})


def read_image(path: str | Path, max_pixels: int | None = None, reading: ImageReading = AS_TAGGED) -> NDArray[np.uint8]:
    """The pixels of an image file as a person would see them.

    EXIF orientation is applied. Grey, palette and CMYK images become RGB. Alpha is composited over white, as
    a browser shows it, unless what is tagged as alpha is none. Values of more than 8 bits, signed ones and fractions,
    which have no fixed range, are stretched linearly so that their 0.1th to 99.9th percentile (of all bands together)
    fills [0, 255]; values that are not finite, or that a GeoTIFF names as "no data", become 0.

    Args:
        path: the file.
        max_pixels: largest width x height that is decoded (a guard against decompression bombs); None for that of
            `untrusted`.
        reading: which page of several and which bands.

    Returns:
        (H, W, 3) uint8 RGB, its own memory.

    Raises:
        WesamError: if the file is missing, broken, truncated, larger than `max_pixels`, of a kind that has no reading
            as RGB, or leaves open which of its pages or bands are meant.
    """
    path = Path(path)
    with explained(path):
        return to_rgb(read_raster(path, reading, max_pixels))


def read_sample(sample: Sample) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB of the sample's file.

    Raises:
        WesamError: if the file cannot be read, or its size is no longer the sample's.
    """
    image = read_image(sample.path, reading=sample.reading)
    if image.shape[:2] != (sample.height, sample.width):
        raise WesamError(
            f"{sample.path}: expected an image of {sample.width} x {sample.height} px as when its labels "
            f"were read, got {image.shape[1]} x {image.shape[0]}"
        )
    return image


def read_values(
    path: str | Path, max_pixels: int | None = None, reading: ImageReading = AS_TAGGED
) -> tuple[NDArray[np.uint8 | np.int32], bool]:
    """The numbers an image file stores, not the colours it shows: of a palette the indices, all bits, white or not.

    Args:
        path, max_pixels, reading: as in `read_image`.

    Returns:
        As `values.to_numbers`.

    Raises:
        WesamError: as `read_image` does, and if the values are not whole numbers.
    """
    path = Path(path)
    with explained(path):
        return to_numbers(read_raster(path, reading, max_pixels, stored=True))


def read_value_pages(
    path: str | Path, max_pixels: int | None = None
) -> Iterator[tuple[NDArray[np.uint8 | np.int32], bool]]:
    """What `read_values` returns of each page, plane or frame.

    Raises:
        WesamError: as `read_values`.
    """
    path = Path(path)
    with explained(path):
        for raster in read_pages(path, max_pixels):
            yield to_numbers(raster)


def frames(path: str | Path) -> int:
    """How many frames, pages or planes a file has.

    Raises:
        WesamError: as `image_size`.
    """
    return raster_pages(Path(path))


def image_size(path: str | Path, max_pixels: int | None = None) -> tuple[int, int]:
    """Width and height in pixels after EXIF orientation, from the file's header alone; of pages that of the first.

    Raises:
        WesamError: if the file is missing, is not an image, or is larger than `max_pixels`.
    """
    return raster_size(Path(path), max_pixels)


def orientation(path: str | Path) -> int:
    """EXIF orientation as the file's header has it, 1 (upright) to 8; 1 where it has none.

    Raises:
        WesamError: as `image_size`.
    """
    return raster_orientation(Path(path))


def verify_image(path: str | Path, max_pixels: int | None = None, reading: ImageReading = AS_TAGGED) -> tuple[str, ...]:
    """Decodes a file to find damage that its header does not show (JPEG at 1/8 size, several times faster).

    Returns:
        What its owner should know of how it is read, each to be said behind "3 images ".

    Raises:
        WesamError: as `read_image`.
    """
    path = Path(path)
    if is_jpeg(path) and reading == AS_TAGGED:
        verify_jpeg(path, max_pixels)
        return ()
    with explained(path):
        return read_raster(path, reading, max_pixels).all_remarks()


def list_images(folder: str | Path) -> list[Path]:
    """Image files (by suffix) in a folder and its sub-folders, sorted by their path with forward slashes.

    Hidden files and folders are left out, and links to folders are not followed.

    Raises:
        WesamError: if the folder does not exist.
    """
    if not Path(folder).is_dir():
        raise WesamError(f"{folder}: expected a folder of images, found no such folder")
    return list_files(folder, SUFFIXES)


def is_image_name(name: str) -> bool:
    """Whether a path ends as those of images do; ``scan.2024.05`` does not."""
    return PurePosixPath(name).suffix.lower() in SUFFIXES
