"""TIFF: which pages a file has, what the tags of one say, and the raster that it stores."""

from __future__ import annotations

import logging
import math
from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from tifffile import TiffFile, TiffPage

from wesam.errors import WesamError
from wesam.labels.containers import refuse_vendor
from wesam.labels.tiff_pixels import BYTEWISE, decode
from wesam.labels.values import Raster, upright
from wesam.untrusted import ordinary_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from wesam.types import ImageReading

# tifffile says on the log what it then raises or mends.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # the last two: BigTIFF
_ORIENTATION, _NODATA = 274, 42113
_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB, _PALETTE = range(4)
_ALPHA: dict[int, Literal["straight", "premultiplied"]] = {1: "premultiplied", 2: "straight"}

# A file whose pages go on without end must not keep its reader for ever.
_MOST_PAGES = 100_000


def is_tiff(head: bytes) -> bool:
    """By a file's first four bytes, whatever its name."""
    return head[:4] in _MAGIC


def tiff_size(path: Path, max_pixels: int) -> tuple[int, int]:
    """Width and height of the first page, upright."""
    with _opened(path) as file:
        page = next(_pages(file))
        if page.imagewidth * page.imagelength > max_pixels:
            raise too_large(page.imagewidth, page.imagelength, max_pixels)
        return (page.imagelength, page.imagewidth) if _orientation(page) >= 5 else (page.imagewidth, page.imagelength)


def tiff_orientation(path: Path) -> int:
    """Of the first page, 1 (upright) to 8."""
    with _opened(path) as file:
        return _orientation(next(_pages(file)))


def count_pages(path: Path) -> int:
    """How many pages there are, without the smaller copies and masks of others."""
    with _opened(path) as file:
        return sum(1 for _ in _pages(file))


def read_tiff(path: Path, reading: ImageReading, max_pixels: int, whole_page: Callable[[int], NDArray[Any]]) -> Raster:
    """The page and the bands that are wanted.

    Args:
        path: the file.
        reading: where it names bands but no page, and each page is one band, its bands are pages.
        max_pixels: largest width x height.
        whole_page: decodes pages that are compressed as pictures (JPEG, fax): by the page's number in the file, from 0,
            its shown colours, (H, W) or (H, W, S).

    Raises:
        WesamError: saying what to do where the file leaves open which page or bands are meant.
    """
    with _opened(path) as file:
        pages = list(_pages(file))
        page = reading.page
        if page is None and len(pages) > 1:
            if reading.bands is None or any(one.samplesperpixel > 1 for one in pages):
                raise several_pages(len(pages), reading)
            chosen = [_page(pages, number) for number in reading.bands]
            rasters = [_raster(one, None, max_pixels, whole_page) for one in chosen]
            if len({raster.values.shape for raster in rasters}) > 1:
                raise WesamError("expected pages of one size to take as bands, got several")
            first = rasters[0]
            return Raster(
                np.concatenate([raster.values for raster in rasters], axis=2),
                max(raster.bits for raster in rasters),
                white_is_zero=first.white_is_zero,
                nodata=first.nodata,
            )
        return _raster(_page(pages, page or 1), reading.bands, max_pixels, whole_page)


def read_tiff_pages(path: Path, max_pixels: int, whole_page: Callable[[int], NDArray[Any]]) -> Iterator[Raster]:
    """Every page; arguments and errors as of `read_tiff`."""
    with _opened(path) as file:
        for page in _pages(file):
            yield _raster(page, None, max_pixels, whole_page)


def too_large(width: int, height: int, max_pixels: int) -> WesamError:
    """That a header announces more than is decoded."""
    return WesamError(
        f"expected at most {max_pixels} pixels, got {width} x {height}; "
        f"if you trust it, set WESAM_MAX_PIXELS in the environment"
    )


def several_pages(pages: int, reading: ImageReading) -> WesamError:
    """That somebody must say which page is meant."""
    colours = "" if reading.bands else ", or --bands 1,2,3 takes three as red, green and blue if each is grey"
    return WesamError(f"expected one page, got a stack of {pages}: --page N takes one of them{colours}")


def _page(pages: list[TiffPage], number: int) -> TiffPage:
    if number > len(pages):
        raise WesamError(f"expected at least {number} pages, as requested, got {len(pages)}")
    return pages[number - 1]


@contextmanager
def _opened(path: Path) -> Iterator[TiffFile]:
    # The file's own metadata of whole series (OME-XML, ...) is never looked at: it may name other files.
    with ordinary_file(path).open("rb") as stream, TiffFile(stream) as file:
        yield file


def _pages(file: TiffFile) -> Iterator[TiffPage]:
    """Those of full size; all where each is tagged as a smaller copy.

    Raises:
        WesamError: for a slide scanner's file, and for stacks whose planes are not pages.
    """
    found = False
    copies: list[TiffPage] = []
    seen: set[int] = set()
    for number in count():
        try:
            page = file.pages[number]
        except IndexError:
            break
        if not isinstance(page, TiffPage) or page.offset in seen or number >= _MOST_PAGES:
            break
        seen.add(page.offset)
        if number == 0:
            refuse_vendor(_description(page), page.tags.keys())
        if page.is_reduced or page.is_mask:
            copies.append(page)
        else:
            found = True
            yield page
    if len(seen) == 1:
        _refuse_hidden_planes(file.pages.first)
    if not found:
        if not copies:
            raise WesamError("expected a TIFF of at least one page, got none")
        yield from copies[:1]


def _refuse_hidden_planes(page: TiffPage) -> None:
    """Of a file of one page: ImageJ writes planes of more than 4 GB behind its only one, and others name a depth."""
    planes = page.imagedepth
    text = _description(page)
    if text.startswith("ImageJ="):
        lines = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
        planes = max(planes, int(lines["images"]) if lines.get("images", "").isdecimal() else 1)
    if planes > 1:
        raise WesamError(f"expected one plane a page, got {planes} planes in one: save each as a TIFF of its own")


def _description(page: TiffPage) -> str:
    return page.description if isinstance(page.description, str) else ""


def _orientation(page: TiffPage) -> int:
    value = page.tags.valueof(_ORIENTATION, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _raster(
    page: TiffPage,
    bands: tuple[int, ...] | None,
    max_pixels: int,
    whole_page: Callable[[int], NDArray[Any]],
) -> Raster:
    if page.imagewidth * page.imagelength > max_pixels:
        raise too_large(page.imagewidth, page.imagelength, max_pixels)
    samples, photometric = page.samplesperpixel, _photometric(page)
    as_picture = page.compression not in BYTEWISE or photometric > _PALETTE
    if as_picture:
        values = whole_page(page.index)
        values = values if values.ndim == 3 else values[..., None]
        samples = values.shape[2]
        if photometric == _MIN_IS_WHITE and samples == 1:
            values = values.dtype.type(1) ^ values if values.dtype == bool else 255 - values  # as stored
        photometric = photometric if photometric <= _PALETTE else _RGB if samples >= 3 else _MIN_IS_BLACK
    wanted, alpha, remarks = _wanted(page, samples, photometric, bands)
    stored = values[..., list(wanted)] if as_picture else decode(page, wanted)
    if stored.dtype == np.float16:
        stored = stored.astype(np.float32)
    return Raster(
        upright(stored, 1 if as_picture else _orientation(page)),
        stored.itemsize * 8 if as_picture and stored.dtype != bool else _bits(page),
        alpha,
        photometric == _MIN_IS_WHITE,
        _nodata(page),
        _palette(page) if photometric == _PALETTE and bands is None else None,
        remarks,
    )


def _photometric(page: TiffPage) -> int:
    if 262 in page.tags:
        return int(page.photometric)
    return _RGB if page.samplesperpixel in (3, 4) else _MIN_IS_BLACK


def _bits(page: TiffPage) -> int:
    return page.bitspersample if isinstance(page.bitspersample, int) else max(page.bitspersample)


def _wanted(
    page: TiffPage, samples: int, photometric: int, bands: tuple[int, ...] | None
) -> tuple[tuple[int, ...], Literal["straight", "premultiplied"] | None, tuple[str, ...]]:
    """The bands to read, from 0; what the last of them is as alpha; and what to say of that choice."""
    if bands is not None:
        if max(bands) > samples:
            raise WesamError(f"expected a file of at least {max(bands)} bands, as requested, got {samples}")
        return tuple(band - 1 for band in bands), None, ()
    colours = 3 if photometric == _RGB else 1
    extra = page.extrasamples[: samples - colours] if page.extrasamples else ()
    alpha = _ALPHA.get(int(extra[0])) if extra else None
    if samples == colours:
        return tuple(range(samples)), None, ()
    if samples == colours + 1 and alpha is not None:
        return tuple(range(samples)), alpha, ()
    if samples == 3 and photometric != _PALETTE:
        return (0, 1, 2), None, ("of 3 bands not tagged as colours, read as red, green and blue; --bands chooses",)
    if samples == 4 and photometric == _RGB:
        return (
            (0, 1, 2),
            None,
            ("of 4 bands, of which the first three are tagged as colours; --bands chooses",),
        )
    raise WesamError(
        f"expected one band (grey) or three (red, green, blue), got {samples}, of which the file does not say which to "
        f"show: name three with --bands 3,2,1 (numbered from 1, red first), or one with --bands 1"
    )


def _nodata(page: TiffPage) -> float | None:
    """GDAL's tag; what is no finite number needs none."""
    try:
        number = float(str(page.tags.valueof(_NODATA)).strip().strip("\0").replace(",", "."))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _palette(page: TiffPage) -> NDArray[np.uint8]:
    colours = page.colormap
    table = np.asarray(() if colours is None else colours, np.uint16).T
    if table.ndim != 2 or table.shape[1] != 3:
        raise WesamError("expected red, green and blue of each number of a palette, got a TIFF without them")
    # 16 bits a colour; some write 8.
    return np.asarray(table >> 8 if table.max(initial=0) > 255 else table, np.uint8)
