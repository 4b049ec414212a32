from __future__ import annotations

import os
import threading
import unicodedata
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from wesam.errors import WesamError
from wesam.labels.images import frames, image_size, list_images, read_image, read_values, verify_image

Save = Callable[..., Path]

# A 3 x 2 image in which every pixel differs, and how EXIF says a viewer must turn what is stored.
STORED = np.arange(18, dtype=np.uint8).reshape(2, 3, 3) * 10
UPRIGHT = {
    1: STORED,
    2: STORED[:, ::-1],
    3: STORED[::-1, ::-1],
    4: STORED[::-1],
    5: STORED.transpose(1, 0, 2),
    6: np.rot90(STORED, -1),
    7: np.rot90(STORED, 2).transpose(1, 0, 2),
    8: np.rot90(STORED, 1),
}


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_pixels_and_size_are_upright(save_image: Save, suffix: str, orientation: int) -> None:
    lossless = {"lossless": True} if suffix == ".webp" else {}
    path = save_image(Image.fromarray(STORED), f"x{suffix}", exif=exif(orientation), **lossless)
    expected = UPRIGHT[orientation]
    np.testing.assert_array_equal(read_image(path), expected)
    assert image_size(path) == (expected.shape[1], expected.shape[0])


def test_jpeg_of_a_phone_held_upright(save_image: Save) -> None:
    path = save_image(Image.new("RGB", (80, 40)), "phone.jpg", exif=exif(6))
    assert image_size(path) == (40, 80)
    assert read_image(path).shape == (80, 40, 3)


def test_damaged_exif_does_not_cost_the_image(save_image: Save) -> None:
    path = save_image(Image.fromarray(STORED), "x.png", exif=b"Exif\0\0no such thing")
    np.testing.assert_array_equal(read_image(path), STORED)
    assert image_size(path) == (3, 2)


def test_grey_and_palette_and_black_and_white(save_image: Save) -> None:
    grey = np.array([[0, 100, 255]], np.uint8)
    for name, image, expected in [
        ("grey.png", Image.fromarray(grey), grey),
        ("palette.png", Image.fromarray(grey).convert("P"), grey),
        ("bits.png", Image.fromarray(grey).convert("1", dither=Image.Dither.NONE), [[0, 0, 255]]),
    ]:
        pixels = read_image(save_image(image, name))
        assert pixels.dtype == np.uint8
        np.testing.assert_array_equal(pixels, np.repeat(np.array(expected)[..., None], 3, axis=2))


def test_alpha_is_composited_over_white(save_image: Save) -> None:
    rgba = np.array([[[200, 0, 0, 255], [200, 0, 0, 0], [0, 0, 0, 51]]], np.uint8)
    expected = [[[200, 0, 0], [255, 255, 255], [204, 204, 204]]]
    np.testing.assert_array_equal(read_image(save_image(Image.fromarray(rgba), "rgba.png")), expected)
    grey_alpha = Image.fromarray(np.array([[[80, 255], [80, 0]]], np.uint8), "LA")
    np.testing.assert_array_equal(read_image(save_image(grey_alpha, "la.png"))[0, :, 0], [80, 255])


def test_palette_with_a_transparent_colour(save_image: Save) -> None:
    image = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    image.putpalette([10, 20, 30, 40, 50, 60])
    path = save_image(image, "p.png", transparency=1)
    np.testing.assert_array_equal(read_image(path), [[[10, 20, 30], [255, 255, 255]]])


def test_cmyk(save_image: Save) -> None:
    path = save_image(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "ink.jpg")
    assert np.abs(read_image(path).astype(int) - [255, 0, 0]).max() < 5


@pytest.mark.parametrize(
    "values",
    [
        np.linspace(300, 4000, 3000).reshape(50, 60).astype(np.uint16),  # 12 bits in 16, as microscopes write
        np.linspace(-1, 1, 3000, dtype=np.float32).reshape(50, 60),
        np.linspace(-70_000, 70_000, 3000).reshape(50, 60).astype(np.int32),
    ],
    ids=["uint16", "float32", "int32"],
)
def test_values_without_a_fixed_range_fill_the_bytes(save_image: Save, values: np.ndarray) -> None:
    grey = read_image(save_image(Image.fromarray(values), "x.tif"))[..., 0]
    assert grey.min() == 0
    assert grey.max() == 255
    assert (np.diff(grey.ravel().astype(int)) >= 0).all()
    assert abs(int(grey[25, 0]) - 128) < 3


def test_a_hot_pixel_does_not_dim_the_image_and_nan_is_black(save_image: Save) -> None:
    values = np.linspace(0, 1, 10_000, dtype=np.float32).reshape(100, 100)
    values[99, 99] = 1e6
    values[0, 0] = np.nan
    grey = read_image(save_image(Image.fromarray(values), "x.tif"))[..., 0]
    assert grey[0, 0] == 0
    assert abs(int(grey[50, 0]) - 128) < 3


def test_a_constant_image_and_a_single_bright_speck(save_image: Save) -> None:
    flat = np.full((100, 100), 700, np.uint16)
    assert not read_image(save_image(Image.fromarray(flat), "flat.png")).any()
    flat[3, 4] = 900
    grey = read_image(save_image(Image.fromarray(flat), "speck.png"))[..., 0]
    assert grey[3, 4] == 255
    assert grey.sum() == 255


def test_12_bit_colours_in_16_bits_with_alpha_are_not_black(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(1, 4096, (20, 30, 4), dtype=np.uint16)
    values[..., 3] = 65535
    values[:, :10, 3] = 0
    path = tmp_path / "deep.png"
    cv2.imwrite(str(path), values[..., [2, 1, 0, 3]])  # OpenCV writes BGR
    found = read_image(path)
    assert (found[:, :10] == 255).all()  # transparent: the paper
    np.testing.assert_allclose(found[:, 10:], values[:, 10:, :3] / 4095 * 255, atol=1.5)


def test_16_bit_colours_that_are_stored_turned(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 4096, (20, 30, 3), dtype=np.uint16)
    path = tmp_path / "x.png"
    cv2.imwrite(str(path), values[:, :, ::-1])
    whole = path.read_bytes()
    turned = exif(6).tobytes()[6:]
    chunk = len(turned).to_bytes(4, "big") + b"eXIf" + turned + zlib.crc32(b"eXIf" + turned).to_bytes(4, "big")
    path.write_bytes(whole[:33] + chunk + whole[33:])
    assert image_size(path) == (20, 30)
    np.testing.assert_allclose(read_image(path), np.rot90(values, -1) / 4095 * 255, atol=1.5)


def test_alpha_that_is_none_is_left_out_and_said(save_image: Save) -> None:
    infrared = np.random.default_rng(0).integers(60, 200, (20, 30), dtype=np.uint8)
    colours = np.full((20, 30, 3), (10, 120, 30), np.uint8)
    path = save_image(Image.fromarray(np.dstack([colours, infrared])), "x.png")
    np.testing.assert_array_equal(read_image(path), colours)
    assert "tagged as alpha" in verify_image(path)[0]
    empty = save_image(Image.fromarray(np.dstack([colours, infrared * 0])), "empty.png")
    np.testing.assert_array_equal(read_image(empty), colours)
    assert "hides every pixel" in verify_image(empty)[0]
    opaque = save_image(Image.fromarray(np.dstack([colours, np.full((20, 30), 255, np.uint8)])), "opaque.png")
    assert verify_image(opaque) == ()


@pytest.mark.parametrize("read", [read_image, image_size, verify_image])
def test_missing_broken_and_huge_files_are_named(tmp_path: Path, save_image: Save, read: Callable[..., object]) -> None:
    with pytest.raises(WesamError, match="nothing.png: .*no such file"):
        read(tmp_path / "nothing.png")
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(WesamError, match="text.png: expected an image"):
        read(tmp_path / "text.png")
    (tmp_path / "empty.png").touch()
    with pytest.raises(WesamError, match="empty.png: expected an image"):
        read(tmp_path / "empty.png")
    with pytest.raises(WesamError, match="expected a whole image"):
        read(tmp_path)
    path = save_image(Image.new("L", (30, 20)), "large.png")
    read(path, max_pixels=600)
    with pytest.raises(WesamError, match="large.png: expected at most 599 pixels, got 30 x 20"):
        read(path, max_pixels=599)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif"])
def test_a_truncated_file_is_found_by_decoding(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cut{suffix}"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)).save(path)
    verify_image(path)
    read_image(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    assert image_size(path) == (64, 64)  # from the header alone
    for read in (read_image, verify_image):
        with pytest.raises(WesamError, match=f"cut{suffix}: expected"):
            read(path)


def test_pillows_own_limit_neither_binds_nor_is_lost(save_image: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_image(Image.new("L", (30, 20)), "x.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    threads = [threading.Thread(target=image_size, args=(path,)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert image_size(path) == (30, 20)
    assert Image.MAX_IMAGE_PIXELS == 10


@pytest.mark.parametrize(
    ("values", "mode"),
    [
        (np.array([[0, 1, 255]], np.uint8), "L"),
        (np.array([[0, 1, 60_000]], np.uint16), None),
        (np.array([[0, 70_000, -1]], np.int32), None),
        (np.array([[0, 1, 1]], bool), None),
    ],
)
def test_stored_numbers_come_as_they_are(save_image: Save, values: np.ndarray, mode: str | None) -> None:
    image = Image.fromarray(values, mode) if mode else Image.fromarray(values)
    found, coloured = read_values(save_image(image, "x.tif"))
    assert (found.dtype, coloured) == (np.uint8 if values.itemsize == 1 else np.int32, False)
    np.testing.assert_array_equal(found, values)


def test_stored_numbers_of_a_palette_and_of_grey_as_colour(save_image: Save) -> None:
    palette = Image.fromarray(np.array([[0, 7]], np.uint8), "P")
    palette.putpalette([0, 0, 0] * 7 + [128, 0, 0])
    np.testing.assert_array_equal(read_values(save_image(palette, "p.png"))[0], [[0, 7]])
    grey = Image.fromarray(np.array([[0, 9]], np.uint8))
    for mode in ("RGB", "RGBA", "LA"):
        np.testing.assert_array_equal(read_values(save_image(grey.convert(mode), f"{mode}.png"))[0], [[0, 9]])


def test_colours_are_told_from_numbers(save_image: Save) -> None:
    values, coloured = read_values(save_image(Image.fromarray(np.array([[[0, 0, 255], [1, 2, 3]]], np.uint8)), "x.tif"))
    assert coloured
    assert values.tolist() == [[255, 0x010203]]


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        ([[255, 255], [255, 0]], [255, 0]),
        ([[255, 255, 255, 9], [255, 255, 255, 0]], [255, 0]),
        ([[1, 2, 3, 255], [1, 2, 3, 0]], [0x010203, 0]),
        ([[7, 7, 7, 0], [9, 9, 9, 0]], [7, 9]),  # alpha that was never set
    ],
)
def test_what_is_transparent_is_no_number(save_image: Save, pixels: list[list[int]], expected: list[int]) -> None:
    image = Image.fromarray(np.array([pixels], np.uint8), "LA" if len(pixels[0]) == 2 else "RGBA")
    assert read_values(save_image(image, "x.png"))[0].tolist() == [expected]


def test_fractions_are_no_numbers(save_image: Save) -> None:
    with pytest.raises(WesamError, match="x.tif: expected an image of whole"):
        read_values(save_image(Image.new("F", (2, 1), 0.5), "x.tif"))


def test_list_images_is_recursive_sorted_and_knows_unicode(tmp_path: Path) -> None:
    names = ["b.PNG", "a/z.jpg", "a/ü.tif", "日本/画像.webp", unicodedata.normalize("NFD", "é.png")]
    for name in [*names, "notes.txt", ".hidden.png", ".cache/x.png"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in list_images(tmp_path)]
    assert found == sorted(names)


def test_list_images_of_no_folder(tmp_path: Path) -> None:
    with pytest.raises(WesamError, match="nowhere: expected a folder"):
        list_images(tmp_path / "nowhere")


def png_header(width: int, height: int) -> bytes:
    """A whole PNG that says it has that size and holds next to nothing."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")

    size = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x00\x00\x00\x00"
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(b"\0" * 9)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("read", [read_image, read_values, image_size, verify_image])
def test_a_decompression_bomb_is_refused_by_its_header(
    tmp_path: Path, read: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png_header(60_000, 60_000))
    with pytest.raises(WesamError, match="at most 200000000 pixels, got 60000 x 60000; .*WESAM_MAX_PIXELS"):
        read(path)
    monkeypatch.setenv("WESAM_MAX_PIXELS", "3")
    Image.new("RGB", (2, 2)).save(path)
    with pytest.raises(WesamError, match="at most 3 pixels, got 2 x 2"):
        read(path)


@pytest.mark.parametrize("read", [read_image, image_size, verify_image])
def test_only_formats_that_are_promised_are_parsed(tmp_path: Path, read: Callable[..., object]) -> None:
    """Pillow hands PostScript to Ghostscript, whatever the name of the file."""
    path = tmp_path / "a.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n")
    with pytest.raises(WesamError, match="a file of another kind"):
        read(path)


def test_pipes_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(WesamError, match="a.png: .*pipe"):
        read_image(tmp_path / "a.png")


def test_an_image_that_memory_does_not_suffice_for_is_named(
    tmp_path: Path, save_image: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_image(Image.new("P", (3, 2)), "large.png")

    def fails(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Image.Image, "convert", fails)
    with pytest.raises(WesamError, match="large.png: expected an image that fits into memory"):
        read_image(path)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_colours_of_a_12_bit_camera_are_not_black(tmp_path: Path, suffix: str) -> None:
    values = np.random.default_rng(0).integers(0, 4096, (20, 30, 3), dtype=np.uint16)
    path = tmp_path / f"x.{suffix}"
    cv2.imwrite(str(path), values[:, :, ::-1])
    found = read_image(path)
    assert (found.shape, found.dtype) == ((20, 30, 3), np.uint8)
    np.testing.assert_allclose(found, values / 4095 * 255, atol=1.5)


def test_16_bit_colours_that_are_cut_short_are_told(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 4096, (20, 30, 3), dtype=np.uint16))
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(WesamError, match="x.png: expected a whole image"):
        read_image(path)


def test_frames_are_counted(tmp_path: Path) -> None:
    pages = [Image.new("L", (6, 4), n) for n in range(3)]
    pages[0].save(tmp_path / "x.tif", save_all=True, append_images=pages[1:])
    pages[0].save(tmp_path / "x.png")
    assert (frames(tmp_path / "x.tif"), frames(tmp_path / "x.png")) == (3, 1)
