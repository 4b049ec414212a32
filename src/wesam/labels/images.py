"""Image files in, 8-bit RGB pixels out, whatever a camera, scanner or microscope wrote."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from wesam import untrusted
from wesam.errors import WesamError
from wesam.labels.files import list_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from wesam.types import Sample

SUFFIXES = frozenset({".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})

# Pillow's names of them. It would know more by their content, some of which it has other programs read.
_FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")

# Darkest and brightest 0.1 % of a 16-bit or float image saturate, so that single hot pixels do not dim it.
_STRETCH_PERCENTILES = (0.1, 99.9)

# What turns a stored image upright, by its EXIF orientation; those from 5 on exchange width and height.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_pillow_limit = threading.Lock()


def read_image(path: str | Path, max_pixels: int | None = None) -> NDArray[np.uint8]:
    """The pixels of an image file as a person would see them.

    EXIF orientation is applied. Grey, palette and CMYK images become RGB. Alpha is composited over white, as
    a browser shows it. 16-bit grey and RGB, 32-bit integer and float images, whose values have no fixed range, are
    stretched linearly so that their 0.1th to 99.9th percentile (of all channels together) fills [0, 255]; values that
    are not finite become 0. 16-bit RGB that has alpha or is stored turned keeps its high byte. Of several frames or
    pages the first is read (see `frames`).

    Args:
        path: the file.
        max_pixels: largest width x height that is decoded (a guard against decompression bombs); None for that of
            `untrusted`.

    Returns:
        (H, W, 3) uint8 RGB, its own memory.

    Raises:
        WesamError: if the file is missing, broken, truncated, larger than `max_pixels`, or of a kind
            (such as float RGB) that has no reading as RGB.
    """
    with _opened(path, max_pixels) as image:
        deep = ";16" in str(getattr(image, "tile", ""))  # in the file; Pillow gives colours 8 bits
        # Pillow turns a TIFF upright while it decodes.
        turn = None if image.format == "TIFF" else _UPRIGHT.get(_orientation(image))
        upright = image if turn is None else image.transpose(turn)
        if upright.mode in ("I", "F") or upright.mode.startswith("I;16"):
            grey = _stretched(np.asarray(upright, dtype=np.float32))
            return np.repeat(grey[:, :, None], 3, axis=2)
        if image.mode == "RGB" and deep and _orientation(image) == 1:
            return _stretched(_deep_colours(Path(path)))
        if upright.has_transparency_data:
            colour = upright.convert("RGBA")
            paper = Image.new("RGBA", colour.size, "white")
            upright = Image.alpha_composite(paper, colour)
        return np.array(upright.convert("RGB"))


def read_sample(sample: Sample) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB of the sample's file.

    Raises:
        WesamError: if the file cannot be read, or its size is no longer the sample's.
    """
    image = read_image(sample.path)
    if image.shape[:2] != (sample.height, sample.width):
        raise WesamError(
            f"{sample.path}: expected an image of {sample.width} x {sample.height} px as when its labels "
            f"were read, got {image.shape[1]} x {image.shape[0]}"
        )
    return image


def read_values(path: str | Path, max_pixels: int | None = None) -> tuple[NDArray[np.uint8 | np.int32], bool]:
    """The numbers an image file stores, not the colours it shows: of a palette the indices, all 16 bits.

    Args:
        path: the file; where its colour channels are equal, one of them is read. Pixels that are wholly transparent
            count as 0, as a shape may be drawn in alpha alone; but not where all are, as some tools leave alpha empty.
        max_pixels: as in `read_image`.

    Returns:
        (H, W) uint8, int32 for more than 8 bits and colours; and whether the numbers stand for colours:
        65536 red + 256 green + blue.

    Raises:
        WesamError: as `read_image` does, and if the values are not whole numbers.
    """
    with _opened(path, max_pixels) as image:
        values = np.asarray(image)
        alpha = values[..., -1] if image.mode in ("LA", "La", "RGBA") else None
        coloured = False
        if image.mode in ("LA", "La"):
            values = values[..., 0]
        elif image.mode in ("RGB", "RGBA", "RGBX"):
            coloured = bool((values[..., :1] != values[..., 1:3]).any())
            red, green, blue = np.moveaxis(values[..., :3], -1, 0)
            values = 65536 * red.astype(np.int32) + 256 * green.astype(np.int32) + blue if coloured else red
        if values.ndim != 2 or values.dtype.kind not in "bui":
            raise WesamError(f"{path}: expected an image of whole numbers, got one of kind {image.mode}")
        kind = np.uint8 if values.itemsize == 1 else np.int32
        numbers: NDArray[np.uint8 | np.int32] = values.astype(kind)
        if alpha is not None and alpha.any():
            numbers[alpha == 0] = 0
        return numbers, coloured


def frames(path: str | Path, max_pixels: int | None = None) -> int:
    """How many frames, pages or planes a file has, of which `read_image` reads the first.

    Raises:
        WesamError: as `image_size`.
    """
    with _opened(path, max_pixels) as image:
        return int(getattr(image, "n_frames", 1))


def image_size(path: str | Path, max_pixels: int | None = None) -> tuple[int, int]:
    """Width and height in pixels after EXIF orientation, from the file's header alone.

    Raises:
        WesamError: if the file is missing, is not an image, or is larger than `max_pixels`.
    """
    with _opened(path, max_pixels) as image:
        width, height = image.size
        if image.format == "TIFF":
            # Pillow releases differ in whether `size` of an unread TIFF is upright; its tags never are.
            tags = image.tag_v2  # type: ignore[attr-defined]
            width, height = int(tags[ExifTags.Base.ImageWidth]), int(tags[ExifTags.Base.ImageLength])
        return (height, width) if _orientation(image) in (5, 6, 7, 8) else (width, height)


def orientation(path: str | Path, max_pixels: int | None = None) -> int:
    """EXIF orientation as the file's header has it, 1 (upright) to 8; 1 where it has none.

    Raises:
        WesamError: as `image_size`.
    """
    with _opened(path, max_pixels) as image:
        return _orientation(image)


def verify_image(path: str | Path, max_pixels: int | None = None) -> None:
    """Decodes a file to find damage that its header does not show (JPEG at 1/8 size, several times faster).

    Raises:
        WesamError: as `read_image`.
    """
    with _opened(path, max_pixels) as image:
        image.draft(None, (1, 1))
        image.load()


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


@contextmanager
def _opened(path: str | Path, max_pixels: int | None) -> Iterator[Image.Image]:
    """The opened file, not yet decoded; whatever goes wrong while it is used becomes a WesamError."""
    most = untrusted.max_pixels() if max_pixels is None else max_pixels
    try:
        with _open_header(path) as image:
            width, height = image.size
            if width * height > most:
                raise WesamError(
                    f"{path}: expected at most {most} pixels, got {width} x {height}; "
                    f"if you trust it, set WESAM_MAX_PIXELS in the environment"
                )
            yield image
    except WesamError:
        raise
    except MemoryError as error:  # within the limit, but not on this machine, or not now
        raise WesamError(f"{path}: expected an image that fits into memory, got a larger one") from error
    except FileNotFoundError as error:
        raise WesamError(f"{path}: expected an image, found no such file") from error
    except UnidentifiedImageError as error:
        raise WesamError(
            f"{path}: expected an image, got a file of another kind, a broken one, or one of a kind that is not read "
            f"(such as 64-bit fractions)"
        ) from error
    except Exception as error:  # Pillow's parsers raise nearly anything on a damaged file
        raise WesamError(f"{path}: expected a whole image, got one that cannot be read ({error})") from error


def _open_header(path: str | Path) -> Image.Image:
    # Pillow's own limit is one global for the process; ours is an argument and is checked right after.
    with _pillow_limit:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(untrusted.ordinary_file(Path(path)), formats=_FORMATS)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _orientation(image: Image.Image) -> int:
    """EXIF orientation as the file's header has it; 1 (upright) where it has none."""
    try:
        # The base class's method: that of PNG decodes all pixels to look behind them.
        orientation = Image.Image.getexif(image).get(ExifTags.Base.Orientation)
    except Exception:  # damaged metadata: every viewer shows such an image as it is stored
        return 1
    return orientation if isinstance(orientation, int) else 1


def _deep_colours(path: Path) -> NDArray[np.float32]:
    """(H, W, 3) of a 16-bit RGB file that Pillow could read."""
    encoded = np.frombuffer(path.read_bytes(), np.uint8)
    colours = cv2.imdecode(encoded, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION)
    if colours is None:
        raise WesamError(f"{path}: expected a whole image of 16-bit colours, got one that cannot be read")
    return np.asarray(colours[:, :, ::-1], dtype=np.float32)


def _stretched(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Values of any range and shape to uint8."""
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros(values.shape, np.uint8)
    low, high = np.percentile(values[finite], _STRETCH_PERCENTILES)
    if low == high:  # nearly constant: what little stands out must not be lost
        low, high = values[finite].min(), values[finite].max()
    scaled = (np.where(finite, values, low) - low) / max(high - low, np.finfo(np.float32).tiny)
    stretched: NDArray[np.uint8] = (scaled.clip(0, 1) * 255).round().astype(np.uint8)
    return stretched
