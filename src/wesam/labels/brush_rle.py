"""The run-length encoding in which Label Studio stores what a brush painted.

It is that of @thi.ng/rle-pack (https://github.com/thi-ng/umbrella, packages/rle-pack): a stream of bits, the most
significant first.

* 32 bits: number of values; here 4 a pixel, for red, green, blue and alpha, row by row.
* 5 bits: bits of a value, less 1 (here 8 bits).
* 4 x 4 bits: bits of a count in each of four sizes, less 1.
* Then, until all values are there: 1 bit, whether one value is repeated; 2 bits, the size of the count; the count,
  less 1; and one value, or as many values as were counted.
"""

from __future__ import annotations

import reprlib
from typing import TYPE_CHECKING

import numpy as np

from wesam.errors import WesamError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CHANNELS = 4


def decode_brush(rle: object, width: int, height: int) -> NDArray[np.bool_]:
    """The mask that a brush painted: where alpha is above 0, as Label Studio's own converter has it.

    Args:
        rle: the list of bytes that the JSON holds.
        width, height: size of the image in pixels.

    Returns:
        (H, W) bool.

    Raises:
        WesamError: if it is not a list of bytes, ends too soon, or is not of the image's size.
    """
    if not isinstance(rle, list) or not all(type(byte) is int and 0 <= byte < 256 for byte in rle):
        raise WesamError(f"expected rle as a list of numbers from 0 to 255, got {reprlib.repr(rle)}")
    bits = _Bits(bytes(rle))
    count, expected = bits.read(32), width * height * _CHANNELS
    if count != expected:
        raise WesamError(f"expected rle of {expected} values (4 a pixel of {width} x {height} px), got {count}")
    value_size = bits.read(5) + 1
    count_sizes = [bits.read(4) + 1 for _ in range(4)]
    painted = np.zeros(count, dtype=bool)
    start = 0
    while start < count:
        repeated = bits.read(1)
        end = start + bits.read(count_sizes[bits.read(2)]) + 1
        if end > count:
            raise WesamError(f"expected rle of {count} values, got more")
        if repeated:
            painted[start:end] = bits.read(value_size) > 0
        else:
            painted[start:end] = [bits.read(value_size) > 0 for _ in range(start, end)]
        start = end
    alpha: NDArray[np.bool_] = painted.reshape(height, width, _CHANNELS)[..., -1]
    return alpha


class _Bits:
    def __init__(self, content: bytes) -> None:
        self._content = content
        self._position = 0

    def read(self, size: int) -> int:
        """The next `size` bits, of which there may be 32, as a number."""
        start, end = self._position, self._position + size
        if end > 8 * len(self._content):
            raise WesamError(f"expected rle that is complete, got one that ends after {len(self._content)} bytes")
        self._position = end
        window = int.from_bytes(self._content[start // 8 : (end + 7) // 8], "big")
        return (window >> (-end % 8)) & ((1 << size) - 1)
