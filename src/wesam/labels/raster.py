"""Any image file from disk: its size, its pages, and the raster in one of them; whatever goes wrong is a WesamError."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import UnidentifiedImageError

from wesam import untrusted
from wesam.errors import WesamError
from wesam.labels.containers import refuse_container
from wesam.labels.pillow_files import open_unlimited, orientation, shown_raster, stored_raster
from wesam.labels.tiff import (
    count_pages,
    is_tiff,
    read_tiff,
    read_tiff_pages,
    several_pages,
    tiff_orientation,
    tiff_size,
    too_large,
)
from wesam.labels.values import Raster
from wesam.types import AS_TAGGED, ImageReading

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from PIL import Image


def read_raster(
    path: Path, reading: ImageReading = AS_TAGGED, max_pixels: int | None = None, stored: bool = False
) -> Raster:
    """The page and the bands of a file that are wanted.

    Args:
        path: the file.
        reading: which page and bands; by default the only page, and the bands that its tags call colours.
        max_pixels: largest width x height that is decoded; None for that of `untrusted`.
        stored: whether the numbers in the file are wanted; else the colours it shows. They differ for palettes.

    Raises:
        WesamError: if the file is missing, broken, larger than `max_pixels`, or leaves open which page is meant.
    """
    with explained(path):
        if _is_tiff(path):
            return read_tiff(path, reading, _most(max_pixels), lambda page: _whole_page(path, page))
        with _opened(path, max_pixels) as image:
            pages = _frames(image)
            if pages > 1 and reading.page is None:
                raise several_pages(pages, ImageReading(bands=(1,)))
            if (reading.page or 1) > pages:
                raise WesamError(f"expected at least {reading.page} pages, as requested, got {pages}")
            if pages > 1:
                image.seek((reading.page or 1) - 1)
            raster = stored_raster(image, path) if stored else shown_raster(image, path)
    return raster if reading.bands is None else _banded(path, raster, reading.bands)


def read_pages(path: Path, max_pixels: int | None = None) -> Iterator[Raster]:
    """The numbers in every page of a file, one after the other.

    Raises:
        WesamError: as `read_raster`.
    """
    with explained(path):
        if _is_tiff(path):
            yield from read_tiff_pages(path, _most(max_pixels), lambda page: _whole_page(path, page))
            return
        with _opened(path, max_pixels) as image:
            for page in range(_frames(image)):
                image.seek(page)
                yield stored_raster(image, path)


def raster_size(path: Path, max_pixels: int | None = None) -> tuple[int, int]:
    """Width and height after EXIF orientation, of the first page, from the file's header alone.

    Raises:
        WesamError: if the file is missing, is not an image, or is larger than `max_pixels`.
    """
    with explained(path):
        if _is_tiff(path):
            return tiff_size(path, _most(max_pixels))
        with _opened(path, max_pixels) as image:
            width, height = image.size
            return (height, width) if orientation(image) in (5, 6, 7, 8) else (width, height)


def raster_orientation(path: Path) -> int:
    """EXIF orientation as the header has it, 1 (upright) to 8.

    Raises:
        WesamError: if the file is missing or is not an image.
    """
    with explained(path):
        if _is_tiff(path):
            return tiff_orientation(path)
        with _opened(path, None) as image:
            return orientation(image)


def raster_pages(path: Path) -> int:
    """How many pages, planes or frames a file has.

    Raises:
        WesamError: if the file is missing or is not an image.
    """
    with explained(path):
        if _is_tiff(path):
            return count_pages(path)
        with _opened(path, None) as image:
            return _frames(image)


def is_jpeg(path: Path) -> bool:
    """By the file's beginning; False where there is none."""
    try:
        return _head(path).startswith(b"\xff\xd8\xff")
    except OSError:
        return False


def verify_jpeg(path: Path, max_pixels: int | None) -> None:
    """Decodes a JPEG at 1/8 of its size.

    Raises:
        WesamError: as `read_raster`.
    """
    with explained(path), _opened(path, max_pixels) as image:
        image.draft(None, (1, 1))
        image.load()


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Within it whatever goes wrong with a file becomes a WesamError that names it."""
    try:
        yield
    except WesamError as error:
        message = str(error)
        raise (error if message.startswith(f"{path}: ") else WesamError(f"{path}: {message}")) from error.__cause__
    except MemoryError as error:  # within the limit, but not on this machine, or not now
        raise WesamError(f"{path}: expected an image that fits into memory, got a larger one") from error
    except FileNotFoundError as error:
        raise WesamError(f"{path}: expected an image, found no such file") from error
    except UnidentifiedImageError as error:
        raise WesamError(
            f"{path}: expected an image, got a file of another kind, a broken one, or one of a kind that is not read"
        ) from error
    except Exception as error:  # parsers raise nearly anything on a damaged file
        raise WesamError(f"{path}: expected a whole image, got one that cannot be read ({error})") from error


def _most(max_pixels: int | None) -> int:
    return untrusted.max_pixels() if max_pixels is None else max_pixels


def _head(path: Path) -> bytes:
    with untrusted.ordinary_file(path).open("rb") as stream:
        return stream.read(512)


def _is_tiff(path: Path) -> bool:
    """Whether it is one.

    Raises:
        WesamError: if it is of a kind that is known and not read.
    """
    head = _head(path)
    refuse_container(path, head)
    return is_tiff(head)


def _frames(image: Image.Image) -> int:
    # A phone's JPEG may carry its own small copies and maps of light (MPO), of which the first is the photograph.
    return 1 if image.format == "MPO" else int(getattr(image, "n_frames", 1))


@contextmanager
def _opened(path: Path, max_pixels: int | None) -> Iterator[Image.Image]:
    most = _most(max_pixels)
    with open_unlimited(untrusted.ordinary_file(path)) as image:
        width, height = image.size
        if width * height > most:
            raise too_large(width, height, most)
        yield image


def _whole_page(path: Path, page: int) -> NDArray[Any]:
    """A page of a TIFF as Pillow shows it, upright; its indices where it has a palette."""
    with open_unlimited(untrusted.ordinary_file(path), ("TIFF",)) as image:
        if page:
            image.seek(page)
        known = image.mode in ("1", "L", "P", "LA", "RGB", "RGBA", "F", "I") or image.mode.startswith("I;16")
        return np.array(image if known else image.convert("RGB"))


def _banded(path: Path, raster: Raster, bands: tuple[int, ...]) -> Raster:
    if max(bands) > raster.values.shape[2]:
        raise WesamError(
            f"{path}: expected a file of at least {max(bands)} bands, as requested, got {raster.values.shape[2]}"
        )
    return Raster(raster.values[..., [band - 1 for band in bands]], raster.bits)
