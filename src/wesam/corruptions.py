"""The corruptions of ImageNet-C / COCO-C (Hendrycks & Dietterich 2019, arXiv 1903.12261), on any image folder."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from wesam.atomic import replaced_folder
from wesam.errors import WesamError
from wesam.labels.images import list_images, read_image
from wesam.types import AS_TAGGED, ImageReading
from wesam.untrusted import stay_inside

if TYPE_CHECKING:
    from numpy.typing import NDArray

CORRUPTIONS = (
    "gaussian_noise",
    "shot_noise",
    "impulse_noise",
    "defocus_blur",
    "glass_blur",
    "motion_blur",
    "zoom_blur",
    "snow",
    "frost",
    "fog",
    "brightness",
    "contrast",
    "elastic_transform",
    "pixelate",
    "jpeg_compression",
)
# Those that draw from a generator of their own, whose seed they take.
_OWN_GENERATOR = frozenset({"impulse_noise", "glass_blur"})
# The package asks for the GUI build of OpenCV, which would replace the headless one and needs a screen's libraries.
_INSTALL = "pip install '.[bench]' && pip install --no-deps imagecorruptions-imaug"

# What the formats' own loss would add is kept out of the comparison as far as they allow.
_LEAST_LOSS: dict[str, dict[str, Any]] = {
    ".jpg": {"quality": 100, "subsampling": 0},
    ".jpeg": {"quality": 100, "subsampling": 0},
    ".webp": {"lossless": True},
}


def corrupt(image: NDArray[np.uint8], name: str, severity: int, seed: int) -> NDArray[np.uint8]:
    """One corrupted image.

    Args:
        image: (H, W, 3) uint8 RGB, both sides at least 32 pixels.
        name: one of `CORRUPTIONS`.
        severity: 1 to 5.
        seed: fixes the noise.

    Returns:
        (H, W, 3) uint8 RGB. Masks stay valid for all but `elastic_transform`, which moves pixels a little.

    Raises:
        WesamError: for an unknown name or severity, a too small image, or if the extra is not installed.
    """
    _check(name, severity)
    if min(image.shape[:2]) < 32:
        raise WesamError(f"corruption: expected an image of at least 32 x 32 pixels, got {image.shape[:2]}")
    try:
        import imagecorruptions
    except ImportError as error:
        raise WesamError(f"corruptions need an extra package: {_INSTALL}") from error
    np.random.seed(seed)  # most of the package draws from NumPy's global generator
    own = {"seed": seed} if name in _OWN_GENERATOR else {}
    corrupted: NDArray[np.uint8] = imagecorruptions.corrupt(image, corruption_name=name, severity=severity, **own)
    return corrupted


def corrupt_folder(
    images: Path,
    out: Path,
    name: str,
    severity: int,
    seed: int = 0,
    on_image: Callable[[Path], None] | None = None,
    reading: ImageReading = AS_TAGGED,
) -> int:
    """Writes a corrupted copy of every image under its own name, so that the folder's labels fit the copy too.

    `elastic_transform` moves pixels a little, and its labels with them are a little off.

    Returns:
        The number of images written.

    Raises:
        WesamError: if the folder has no images, `out` is not empty, or an image cannot be read or corrupted. Nothing is
            left behind then.
    """
    _check(name, severity)
    paths = list_images(images)
    if not paths:
        raise WesamError(f"{images}: expected images, found none")
    if out.exists() and any(out.iterdir()):
        raise WesamError(f"{out}: expected a new or empty folder, got one that holds files")
    with replaced_folder(out) as partial:
        for path in paths:
            relative = path.relative_to(images)
            image_seed = zlib.crc32(f"{seed}/{relative.as_posix()}/{name}".encode(errors="surrogatepass"))
            image = read_image(stay_inside(path, images), reading=reading)
            try:
                picture = Image.fromarray(corrupt(image, name, severity, image_seed))
            except WesamError as error:
                raise WesamError(f"{path}: {error}") from error
            target = partial / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            picture.save(target, **_LEAST_LOSS.get(target.suffix.lower(), {}))
            if on_image is not None:
                on_image(out / relative)
    return len(paths)


def _check(name: str, severity: int) -> None:
    if name not in CORRUPTIONS:
        raise WesamError(f"corruption: expected one of {', '.join(CORRUPTIONS)}, got {name!r}")
    if severity not in range(1, 6):
        raise WesamError(f"severity: expected 1 to 5, got {severity}")
