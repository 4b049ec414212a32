"""From the strips or tiles of a TIFF page to its numbers (TIFF 6.0, sections 3, 9, 14, 15; TIFF technical note 3)."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

from wesam.errors import WesamError
from wesam.labels.pillow_files import open_unlimited

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from tifffile import TiffPage

_NONE = 1
#: Compressions of bytes, whatever these mean: LZW, deflate (two numbers), PackBits, LZMA, Zstandard.
BYTEWISE = frozenset({_NONE, 5, 8, 32773, 32946, 34925, 50000})

# A tile of an image that is smaller than it may have so many pixels.
_TILE = 2**24

# Those that a predictor belongs to; elsewhere libtiff passes over its tag.
_PREDICTED = BYTEWISE - {_NONE, 32773}

_UNSIGNED, _SIGNED, _FLOAT, _UNDEFINED = 1, 2, 3, 4
_KINDS = {_UNSIGNED: "u", _UNDEFINED: "u", _SIGNED: "i", _FLOAT: "f"}


def decode(page: TiffPage, bands: Sequence[int]) -> NDArray[Any]:
    """Some bands of a page, as stored: neither turned nor inverted.

    Args:
        page: of an open file, compressed in one of the ways of `BYTEWISE`.
        bands: from 0.

    Returns:
        (H, W, S) of the smallest kind that holds the page's numbers.

    Raises:
        WesamError: if it is damaged, or its numbers are of a kind that is not read.
    """
    kind, bits = _kind(page)
    height, width, samples = page.imagelength, page.imagewidth, page.samplesperpixel
    planar = page.planarconfig == 2 and samples > 1
    together = 1 if planar else samples  # bands in one segment
    rows, columns = (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip or height, width)
    if not (rows > 0 and columns > 0):
        raise WesamError("expected a whole TIFF, got one of strips without rows")
    across, down = -(-width // columns), -(-height // rows)
    planes = list(bands) if planar else [0]
    if rows * columns > max(4 * height * width, _TILE):
        raise WesamError(f"expected tiles that fit their image, got {columns} x {rows} px for {width} x {height} px")
    if len(page.dataoffsets) < across * down * (max(planes) + 1):
        raise WesamError(
            f"expected a whole TIFF, got {len(page.dataoffsets)} strips or tiles of {across * down * (max(planes) + 1)}"
        )
    row_bytes = -(-columns * together * bits // 8)
    out = np.full((height, width, len(bands)), _of_missing(page, kind), kind.newbyteorder("="))
    for place, plane in enumerate(planes):
        for index, data in _segments(page, plane * across * down, across, down, rows, height, row_bytes):
            top, left = index // across * rows, index % across * columns
            numbers = _numbers(data, page, kind, bits, columns, together)
            part = out[top : top + rows, left : left + columns]
            cut = numbers[: part.shape[0], : part.shape[1]]
            if cut.shape[0] < part.shape[0]:
                raise WesamError("expected a whole TIFF, got one with a strip or tile that is cut short")
            if planar:
                part[..., place] = cut[..., 0]
            else:
                part[...] = cut[..., list(bands)]
    return out


def _kind(page: TiffPage) -> tuple[np.dtype[Any], int]:
    """Of the numbers once they are unpacked, and their bits in the file."""
    bits, letter = page.bitspersample, _KINDS.get(int(page.sampleformat))
    if not isinstance(bits, int):
        raise WesamError(f"expected bands of one depth, got bits {', '.join(map(str, bits))}")
    if letter is None:
        raise WesamError("expected real numbers, got complex ones: save their magnitude as a TIFF")
    whole = {8, 16, 32, 64} - ({8} if letter == "f" else set())
    if bits not in whole and not (letter == "u" and 1 <= bits <= 32):
        raise WesamError(f"expected numbers of 8, 16, 32 or 64 bits, got {bits}")
    size = next(size for size in sorted(whole) if size >= bits)
    order = "<" if page.parent.byteorder == "<" else ">"
    return np.dtype(f"{order}{letter}{size // 8}"), bits


def _of_missing(page: TiffPage, kind: np.dtype[Any]) -> Any:
    """What the pixels are of tiles that were never written: GDAL leaves out those without data."""
    return kind.type(page.nodata if 42113 in page.tags else 0)


def _segments(
    page: TiffPage, first: int, across: int, down: int, rows: int, height: int, row_bytes: int
) -> list[tuple[int, bytes]]:
    """The strips or tiles of one plane that there are, unpacked, each with its number."""
    file = page.parent.filehandle
    offsets, counts = page.dataoffsets, page.databytecounts
    found: list[tuple[int, bytes]] = []
    for index in range(across * down):
        offset, size = offsets[first + index], counts[first + index] if first + index < len(counts) else 0
        if offset == 0 or size == 0:
            continue
        file.seek(offset)
        found.append((index, file.read(max(0, min(size, file.size - offset)))))
    if page.compression == _NONE:
        if page.fillorder == 2:
            found = [(index, np.packbits(_bits(data)[:, ::-1]).tobytes()) for index, data in found]
        return found
    # All but the last strip are full, and tiles are always.
    tall = [rows if page.is_tiled else min(rows, height - index // across * rows) for index, _ in found]
    sizes = [length * row_bytes for length in tall]
    unpacked = _inflated([data for _, data in found], page, rows, row_bytes, sum(tall)) if found else b""
    starts = np.cumsum([0, *sizes]).tolist()
    return [
        (index, unpacked[start : start + size]) for (index, _), start, size in zip(found, starts, sizes, strict=False)
    ]


def _inflated(segments: Sequence[bytes], page: TiffPage, rows: int, row_bytes: int, height: int) -> bytes:
    """What segments of full size, but perhaps the last, hold, one after the other.

    libtiff does it, which Pillow brings: as the strips of one image of 8 bits, whatever the bytes mean.
    """
    strips = len(segments)
    ends = np.cumsum([0, *map(len, segments)]).tolist()
    tags = [
        (256, 4, [row_bytes]),
        (257, 4, [height]),
        (258, 3, [8]),
        (259, 3, [int(page.compression)]),
        (262, 3, [1]),
        (266, 3, [2 if page.fillorder == 2 else 1]),
        (273, 4, ends[:-1]),
        (277, 3, [1]),
        (278, 4, [rows]),
        (279, 4, [len(segment) for segment in segments]),
    ]
    begin = 8 + 2 + 12 * len(tags) + 4 + (8 * strips if strips > 1 else 0)
    directory, lists = struct.pack("<H", len(tags)), b""
    for tag, kind, values in tags:
        numbers = [begin + value for value in values] if tag == 273 else values
        content = struct.pack(f"<{len(numbers)}I", *numbers)
        if strips > 1 and tag in (273, 279):
            place = 8 + 2 + 12 * len(tags) + 4 + len(lists)
            lists += content
            content = struct.pack("<I", place)
        directory += struct.pack("<HHI", tag, kind, len(numbers)) + content
    file = b"II*\0" + struct.pack("<I", 8) + directory + b"\0\0\0\0" + lists + b"".join(segments)
    with open_unlimited(io.BytesIO(file), ("TIFF",)) as image:
        return image.tobytes()


def _numbers(data: bytes, page: TiffPage, kind: np.dtype[Any], bits: int, columns: int, together: int) -> NDArray[Any]:
    """(rows, columns, together) of one segment; rows that are cut short are left out."""
    row_bytes = -(-columns * together * bits // 8)
    rows = len(data) // row_bytes
    raw = np.frombuffer(data, np.uint8, rows * row_bytes).reshape(rows, row_bytes)
    predictor = int(page.predictor) if page.compression in _PREDICTED else 1
    if bits != 8 * kind.itemsize:
        if predictor != 1:
            raise WesamError(f"expected whole bytes where numbers are stored as differences, got {bits} bits")
        spread = np.unpackbits(raw, axis=1)[:, : columns * together * bits].reshape(rows, columns * together, bits)
        numbers = np.zeros(spread.shape[:2], np.uint64)
        for bit in range(bits):
            numbers = numbers << np.uint64(1) | spread[..., bit]
        return numbers.astype(kind.newbyteorder("=")).reshape(rows, columns, together)
    if predictor == 3:
        return _summed_fractions(raw, kind, columns, together)
    numbers = raw.view(kind).reshape(rows, columns, together).astype(kind.newbyteorder("="))
    if predictor == 2:
        whole = numbers.view(f"u{kind.itemsize}")
        numbers = np.cumsum(whole, axis=1, dtype=whole.dtype).view(numbers.dtype)
    elif predictor != 1:
        raise WesamError(f"expected a TIFF predictor of 1, 2 or 3, got {predictor}")
    return numbers


def _summed_fractions(raw: NDArray[np.uint8], kind: np.dtype[Any], columns: int, together: int) -> NDArray[Any]:
    """Adobe's floating-point predictor: differences of bytes, the highest of all numbers first."""
    rows, size = len(raw), kind.itemsize
    sums = np.cumsum(raw.reshape(rows, columns * size, together), axis=1, dtype=np.uint8)
    planes = sums.reshape(rows, size, columns * together).transpose(0, 2, 1)
    numbers = np.ascontiguousarray(planes).view(f">{kind.kind}{size}")
    return numbers.astype(kind.newbyteorder("=")).reshape(rows, columns, together)


def _bits(data: bytes) -> NDArray[np.uint8]:
    return np.unpackbits(np.frombuffer(data, np.uint8)).reshape(-1, 8)
