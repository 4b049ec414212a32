"""Whole image files: what cameras write, TIFF of microscopes and satellites, beginnings of what is not read."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
import tifffile
from PIL import Image

from tests.fuzz.seed import Seed
from wesam.types import ImageReading


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def image_seeds() -> list[Seed]:
    """One or more of every kind."""
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (12, 16, 3), dtype=np.uint8))
    files = [
        Seed("image", f"image.{suffix}", "png" if format == "PNG" else "bytes", encoded(image, format, **options))
        for suffix, format, image, options in [
            ("png", "PNG", picture, {}),
            ("alpha.png", "PNG", picture.convert("RGBA"), {}),
            ("palette.png", "PNG", picture.convert("P"), {"transparency": 3}),
            ("deep.png", "PNG", Image.fromarray(np.arange(192, dtype=np.uint16).reshape(12, 16) * 300), {}),
            ("jpg", "JPEG", picture, {"exif": _orientation(6)}),
            ("float.tif", "TIFF", Image.fromarray(np.linspace(0, 1, 192, dtype=np.float32).reshape(12, 16)), {}),
            ("gif", "GIF", picture, {}),
            ("bmp", "BMP", picture, {}),
            ("webp", "WEBP", picture, {}),
            ("ppm", "PPM", picture, {}),
            ("jp2", "JPEG2000", picture, {}),
        ]
    ]
    deep = np.random.default_rng(0).integers(0, 4096, (12, 16, 4), dtype=np.uint16)
    frames = encoded(picture, "PNG", save_all=True, append_images=[picture.rotate(180)])
    return [
        *files,
        Seed("image", "image.deep.colour.png", "png", cv2.imencode(".png", deep[..., :3])[1].tobytes()),
        Seed("image", "image.deep.alpha.png", "png", cv2.imencode(".png", deep)[1].tobytes()),
        Seed("image", "image.deep.ppm", "bytes", cv2.imencode(".ppm", deep[..., :3])[1].tobytes()),
        Seed("image", "image.frames.png", "png", frames, reading=ImageReading(page=2)),
        *_tiffs(picture, deep),
        *_slides(),
    ]


def mask_seeds() -> list[Seed]:
    """TIFF masks: stored inverted, signed, with a number for no data, one object a page."""
    objects = np.zeros((40, 60), np.uint8)
    objects[10:20, 15:35], objects[25:30, 5:50] = 1, 2
    pages = np.stack([objects == 1, objects == 2])
    nodata = [(42113, "s", 0, "-1", True)]
    return [
        Seed("masks", "masks/a.tif", "tiff", content)
        for content in (
            _tiff(objects, photometric="miniswhite", compression="zlib"),
            _tiff(objects.astype(np.int16) - (objects == 0), extratags=nodata),
            _tiff(pages.astype(np.uint8), photometric="minisblack"),
            _tiff(objects.astype(np.float32), tile=(16, 16)),
        )
    ]


def _tiffs(picture: Image.Image, deep: np.ndarray) -> list[Seed]:
    grey = np.asarray(picture.convert("L"))
    planes = np.ascontiguousarray(np.moveaxis(deep, -1, 0))
    nodata = [(42113, "s", 0, "-9999", True)]
    palette = np.arange(768, dtype=np.uint16).reshape(3, 256) * 80
    kinds: list[tuple[str, bytes, ImageReading]] = [
        ("lzw", encoded(picture, "TIFF", compression="tiff_lzw"), ImageReading()),
        ("jpeg", encoded(picture, "TIFF", compression="jpeg"), ImageReading()),
        ("fax", encoded(picture.convert("1"), "TIFF", compression="group4"), ImageReading()),
        ("packbits", encoded(picture, "TIFF", compression="packbits"), ImageReading()),
        ("deep", _tiff(deep[..., :3], photometric="rgb"), ImageReading()),
        ("alpha", _tiff(deep, photometric="rgb", extrasamples=["unassalpha"]), ImageReading()),
        ("planar", _tiff(planes[:3], photometric="rgb", planarconfig="separate", compression="zlib"), ImageReading()),
        ("bands", _tiff(planes, planarconfig="separate", extrasamples=[0, 0, 0]), ImageReading(bands=(3, 2, 1))),
        ("pages", _tiff(np.stack([grey, 255 - grey])), ImageReading(page=2)),
        ("pages.bands", _tiff(np.stack([grey, 255 - grey])), ImageReading(bands=(2,))),
        ("white", _tiff(grey > 99, photometric="miniswhite"), ImageReading()),
        ("signed", _tiff(grey.astype(np.int8), tile=(16, 16), bigtiff=True), ImageReading()),
        ("nodata", _tiff(grey.astype(np.float32) - 100, extratags=nodata, rowsperstrip=5), ImageReading()),
        ("palette", _tiff(grey, photometric="palette", colormap=palette, byteorder=">"), ImageReading()),
    ]
    return [Seed("image", f"image.{name}.tif", "tiff", content, reading=reading) for name, content, reading in kinds]


def _slides() -> list[Seed]:
    """What is named and refused; one byte that is changed may make it an image."""
    grey = np.zeros((16, 16), np.uint8)
    slide = _tiff(grey, description="Aperio Image Library")
    stack = _tiff(grey, description="ImageJ=1.53t\nimages=40\n")
    nifti = bytes(344) + b"n+1\0" + bytes(99)
    contents = (slide, stack, b"ZISRAWFILE" + bytes(200), bytes(128) + b"DICM" + bytes(99), nifti)
    return [Seed("image", f"image.refused{n}.tif", "bytes", one, whole="refused") for n, one in enumerate(contents)]


def _tiff(values: np.ndarray, **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, **{"photometric": "minisblack", "metadata": None, **options})
    return buffer.getvalue()


def _orientation(value: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = value
    return tags
