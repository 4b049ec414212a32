"""Image files that Pillow decodes, and OpenCV where Pillow knows only 8 bits of 16."""

from __future__ import annotations

import threading
from typing import IO, TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL import ExifTags, Image

from wesam.errors import WesamError
from wesam.labels.values import Raster, upright

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

#: Pillow's names of them. It would know more by their content, some of which it has other programs read.
FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")

# A JPEG 2000 codestream begins so (ISO 15444-1, A.4.1 and A.5.1); the depth of the first component lies 40 bytes on.
_CODESTREAM, _DEPTH_BEHIND = b"\xff\x4f\xff\x51", 40

_limit = threading.Lock()


def open_unlimited(file: Path | IO[bytes], formats: tuple[str, ...] = FORMATS) -> Image.Image:
    """An opened file, not yet decoded. Pillow's limit of pixels is one global for the process; ours are arguments."""
    with _limit:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(file, formats=formats)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def orientation(image: Image.Image) -> int:
    """EXIF orientation as the file's header has it; 1 (upright) where it has none."""
    try:
        # The base class's method: that of PNG decodes all pixels to look behind them.
        found = Image.Image.getexif(image).get(ExifTags.Base.Orientation)
    except Exception:  # damaged metadata: every viewer shows such an image as it is stored
        return 1
    return found if isinstance(found, int) else 1


def shown_raster(image: Image.Image, path: Path) -> Raster:
    """The colours that an opened image shows."""
    turn = orientation(image)
    if _is_deep(image, path):
        return _deep(path, turn)
    if image.has_transparency_data and image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        return Raster(upright(np.array(image.convert("RGBA")), turn), alpha="straight")
    if not (image.mode in ("I", "F", "L", "RGB") or image.mode.startswith("I;16")):
        image = image.convert("L" if image.mode == "1" else "RGB")
    return _stored(image, turn)


def stored_raster(image: Image.Image, path: Path) -> Raster:
    """The numbers that an opened image stores: of a palette the indices."""
    turn = orientation(image)
    return _deep(path, turn) if _is_deep(image, path) else _stored(image, turn)


def _stored(image: Image.Image, turn: int) -> Raster:
    values = np.array(image)
    if image.mode == "RGBX":
        values = values[..., :3]
    values = values if values.ndim == 3 else values[..., None]
    alpha = {"LA": "straight", "RGBA": "straight", "La": "premultiplied", "RGBa": "premultiplied"}.get(image.mode)
    if values.shape[2] != (3 if "RGB" in image.mode else 1) + (alpha is not None):
        raise WesamError(f"expected an image of grey, a palette or red, green and blue, got one of kind {image.mode}")
    bits = 1 if values.dtype == bool else 8 * values.itemsize
    return Raster(upright(values, turn), bits, alpha)  # type: ignore[arg-type]


def _is_deep(image: Image.Image, path: Path) -> bool:
    """Whether the file has colours of more than 8 bits, of which Pillow gives 8."""
    if image.mode not in ("RGB", "RGBA", "LA"):
        return False
    tiles = getattr(image, "tile", [])
    if image.format == "PPM":
        return any(isinstance(tile[3], tuple) and tile[3][-1] > 255 for tile in tiles)
    if image.format == "JPEG2000":
        with path.open("rb") as stream:
            head = stream.read(4096)
        place = head.find(_CODESTREAM) + _DEPTH_BEHIND
        return _DEPTH_BEHIND <= place < len(head) and (head[place] & 0x7F) + 1 > 8
    return ";16" in str(tiles)


def _deep(path: Path, turn: int) -> Raster:
    """Of 16-bit colours."""
    encoded = np.frombuffer(path.read_bytes(), np.uint8)
    values: NDArray[Any] | None = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
    if values is None or values.ndim != 3 or values.shape[2] < 3:
        raise WesamError("expected a whole image of 16-bit colours, got one that cannot be read")
    order = [2, 1, 0, 3][: values.shape[2]]  # OpenCV has blue first
    alpha = "straight" if values.shape[2] == 4 else None
    return Raster(upright(values[..., order], turn), 8 * values.itemsize, alpha)  # type: ignore[arg-type]
