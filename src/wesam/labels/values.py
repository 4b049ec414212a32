"""The numbers that an image file stores: as pixels a person would see, or as the numbers of objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from wesam.errors import WesamError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Darkest and brightest 0.1 % of an image of more than 8 bits saturate, so that single hot pixels do not dim it.
_STRETCH_PERCENTILES = (0.1, 99.9)

# Of the pixels that alpha does not hide at least so many are opaque; in a band of measurements few have its top value.
_OPAQUE = 0.5

_NO_ALPHA = (
    "whose last band is tagged as alpha but hardly opaque anywhere (near infrared?), so that it is left out; "
    "--bands 1,2,3 says so for good"
)
_HIDDEN = "whose alpha hides every pixel, so that it is left out"


@dataclass(frozen=True)
class Raster:
    """What one page of an image file stores, upright.

    Attributes:
        values: (H, W, S) numbers of any kind: one band (grey, palette) or three (red, green, blue), then alpha.
        bits: of one number.
        alpha: what the last band is tagged as; None: it is no alpha.
        white_is_zero: whether small numbers are bright.
        nodata: the number that stands for "not measured"; None if there is none.
        palette: (N, 3) uint8 RGB of each number; None if they are no indices.
        remarks: what somebody who looks at it should know, to be said behind "3 images ".
    """

    values: NDArray[Any]
    bits: int = 8
    alpha: Literal["straight", "premultiplied"] | None = None
    white_is_zero: bool = False
    nodata: float | None = None
    palette: NDArray[np.uint8] | None = None
    remarks: tuple[str, ...] = ()

    @property
    def colour(self) -> NDArray[Any]:
        """(H, W, 1 or 3): without alpha."""
        return self.values if self.alpha is None else self.values[..., :-1]

    @property
    def measured(self) -> NDArray[np.bool_] | None:
        """(H, W): where a pixel has a value; None if all have."""
        colour, measured = self.colour, None
        if self.nodata is not None:
            number = _as_stored(self.nodata, colour.dtype)
            if number is not None:
                measured = (colour != number).any(-1)
        if colour.dtype.kind == "f":
            finite = np.isfinite(colour).all(-1)
            measured = finite if measured is None else measured & finite
        return measured

    def opacity(self) -> tuple[NDArray[np.float32] | None, tuple[str, ...]]:
        """(H, W) in [0, 1], None if every pixel is opaque; and what to say of alpha that is none.

        In measurements that are tagged as alpha few pixels are opaque; composited, they would wash out the image.
        """
        if self.alpha is None:
            return None, ()
        alpha = self.values[..., -1]
        top = alpha.max()
        if not top > 0:
            return None, (_HIDDEN,)
        # 12 bits in 16: opaque is the largest number of as many bits as are used.
        full = 1.0 if alpha.dtype.kind == "f" else float(2 ** max(int(top).bit_length(), 8) - 1)
        if alpha.min() == full:
            return None, ()
        if (alpha == full).sum() < _OPAQUE * (alpha > 0).sum():
            return None, (_NO_ALPHA,)
        return (alpha / np.float32(full)).clip(0, 1).astype(np.float32), ()

    def all_remarks(self) -> tuple[str, ...]:
        """All there is to say of it."""
        return self.remarks + self.opacity()[1]


def to_rgb(raster: Raster) -> NDArray[np.uint8]:
    """As a person would see it.

    Up to 8 bits are shown as they are. Of more, of signed numbers and of fractions, which have no fixed range, the
    0.1th to 99.9th percentile (of all bands together) fill [0, 255]; what was not measured becomes 0. Alpha is
    composited over white.

    Returns:
        (H, W, 3) uint8 RGB, its own memory.
    """
    colour, measured = raster.colour, raster.measured
    opacity, _ = raster.opacity()
    if raster.palette is not None:
        shown = raster.palette[np.minimum(colour[..., 0], len(raster.palette) - 1)]
    elif raster.bits <= 8 and colour.dtype.kind in "bu":
        top = 2**raster.bits - 1
        shown = colour.astype(np.uint8) if top == 255 else (colour.astype(np.uint16) * 255 // top).astype(np.uint8)
    else:
        seen = measured if opacity is None else (opacity > 0) if measured is None else measured & (opacity > 0)
        shown = stretched(colour, seen)
    if raster.white_is_zero:
        shown = 255 - shown
    if measured is not None and not measured.all():
        shown = np.where(measured[..., None], shown, np.uint8(0))
    if shown.shape[-1] == 1:
        shown = np.repeat(shown, 3, axis=2)
    if opacity is not None:
        share = opacity[..., None]
        paper = 255 * (1 - share)
        blended = shown + paper if raster.alpha == "premultiplied" else shown * share + paper
        shown = blended.round().clip(0, 255).astype(np.uint8)
    return np.ascontiguousarray(shown)


def to_numbers(raster: Raster) -> tuple[NDArray[np.uint8 | np.int32], bool]:
    """The numbers themselves: white is zero or not, of a palette the indices, what was not measured as 0.

    Where colour bands are equal, one of them counts. Wholly transparent pixels are 0, as a shape may be drawn in alpha
    alone; but not where all are, as some tools leave alpha empty.

    Returns:
        (H, W) uint8, int32 for more than 8 bits and colours; and whether the numbers stand for colours:
        65536 red + 256 green + blue.

    Raises:
        WesamError: if they are not whole numbers of 32 bits, or colours of more than 8 bits.
    """
    colour, measured = raster.colour, raster.measured
    if measured is not None:
        colour = np.where(measured[..., None], colour, 0)
    if colour.dtype.kind not in "biuf" or (colour.dtype.kind == "f" and (colour != np.trunc(colour)).any()):
        raise WesamError("expected an image of whole numbers, got one of fractions")
    low, high = colour.min(), colour.max()
    if low < -(2**31) or high >= 2**31:
        raise WesamError(f"expected numbers of objects, got some as large as {max(abs(int(low)), int(high))}")
    kind = np.uint8 if colour.dtype.kind in "bu" and colour.itemsize == 1 else np.int32
    coloured = bool((colour[..., :1] != colour[..., 1:]).any())
    if coloured:
        if low < 0 or high > 255:
            raise WesamError(f"expected one number a pixel, or colours of 8 bits, got colours of up to {high:g}")
        red, green, blue = np.moveaxis(colour.astype(np.int32), -1, 0)
        numbers: NDArray[np.uint8 | np.int32] = 65536 * red + 256 * green + blue
    else:
        numbers = colour[..., 0].astype(kind)
    if raster.alpha is not None and (alpha := raster.values[..., -1]).any():
        numbers[alpha == 0] = 0
    return numbers, coloured


def stretched(values: NDArray[Any], seen: NDArray[np.bool_] | None = None) -> NDArray[np.uint8]:
    """Values of any range, (H, W, S), to uint8.

    Args:
        seen: (H, W): the pixels whose values decide the range; None for all.
    """
    known = values if seen is None else values[seen]
    if not known.size:
        return np.zeros(values.shape, np.uint8)
    low, high = np.percentile(known, _STRETCH_PERCENTILES)
    if low == high:  # nearly constant: what little stands out must not be lost
        low, high = float(known.min()), float(known.max())
    # What 32 bits of a fraction cannot tell apart, or whose difference is beyond them.
    exact = (values.dtype.kind == "f" and values.itemsize == 4) or values.itemsize < 4
    wide: NDArray[Any] = values.astype(np.float32 if exact and max(abs(low), abs(high)) < 1e30 else np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = (wide - float(low)) / float(max(high - low, np.finfo(np.float32).tiny))
        scaled = np.nan_to_num(scaled, nan=0.0, posinf=1.0, neginf=0.0)
    return np.asarray((scaled.clip(0, 1) * 255).round(), dtype=np.uint8)


def upright(values: NDArray[Any], orientation: int) -> NDArray[Any]:
    """What is stored turned, (H, W, ...), as its EXIF or TIFF orientation says it is seen."""
    match orientation:
        case 2:
            return values[:, ::-1]
        case 3:
            return values[::-1, ::-1]
        case 4:
            return values[::-1]
        case 5:
            return np.swapaxes(values, 0, 1)
        case 6:
            return np.rot90(values, -1)
        case 7:
            return np.swapaxes(np.rot90(values, 2), 0, 1)
        case 8:
            return np.rot90(values, 1)
    return values


def _as_stored(number: float, kind: np.dtype[Any]) -> Any:
    """That number as an array of this kind holds it; None if it cannot, so that no pixel is it."""
    if kind.kind == "f":
        with np.errstate(over="ignore"):
            return kind.type(number)
    if kind.kind not in "iu" or number != int(number):
        return None
    limits = np.iinfo(kind)
    return kind.type(int(number)) if limits.min <= number <= limits.max else None
