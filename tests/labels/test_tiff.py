"""TIFF as microscopes, satellites and their tools write it."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from wesam.errors import WesamError
from wesam.labels.images import frames, image_size, read_image, read_values, verify_image
from wesam.types import ImageReading

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 200, (20, 30)).astype(np.uint8)
COLOUR = RNG.integers(0, 4096, (20, 30, 3)).astype(np.uint16)
OBJECTS = np.zeros((20, 30), np.uint8)
OBJECTS[2:8, 3:9], OBJECTS[10:15, 20:28] = 1, 2


def write(path: Path, values: np.ndarray, **options: Any) -> Path:
    tifffile.imwrite(path, values, **{"photometric": "minisblack", "metadata": None, **options})
    return path


def pillow(path: Path, values: np.ndarray, compression: str, tags: dict[int, int] | None = None) -> Path:
    """Compressions that tifffile writes with an extra only."""
    Image.fromarray(values).save(path, compression=compression, tiffinfo=tags or {})
    return path


def numbers(path: Path) -> np.ndarray:
    return read_values(path)[0]


def stretch(values: np.ndarray) -> np.ndarray:
    low, high = np.percentile(values, (0.1, 99.9))
    return ((values - low) / (high - low) * 255).clip(0, 255)


@pytest.mark.parametrize("kind", ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8", ">u2", ">f4"])
def test_labels_of_every_kind_come_as_stored_whatever_white_is(tmp_path: Path, kind: str) -> None:
    values = OBJECTS.astype(kind)
    order = ">" if kind[0] == ">" else "<"
    for name in ("minisblack", "miniswhite"):
        path = write(tmp_path / f"{name}.tif", values, photometric=name, byteorder=order)
        np.testing.assert_array_equal(numbers(path), OBJECTS)


def test_boolean_masks_of_one_bit_are_stored_as_white_is_zero(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, OBJECTS > 0)
    np.testing.assert_array_equal(numbers(path), OBJECTS > 0)
    fax = tmp_path / "fax.tif"
    Image.fromarray(OBJECTS == 0).save(fax, compression="group4")
    with tifffile.TiffFile(fax) as file:
        assert file.pages[0].photometric in (0, 1)
    assert set(np.unique(numbers(fax))) == {0, 1}


@pytest.mark.parametrize("kind", ["u1", "u2", "f4", "i1"])
def test_white_is_zero_is_shown_as_viewers_show_it(tmp_path: Path, kind: str) -> None:
    values = (GREY // 2).astype(kind)
    black = read_image(write(tmp_path / "black.tif", values))
    white = read_image(write(tmp_path / "white.tif", values, photometric="miniswhite"))
    np.testing.assert_array_equal(white, 255 - black)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("layout", [{}, {"tile": (16, 16)}, {"rowsperstrip": 3}], ids=["one", "tiles", "strips"])
def test_planar_colours_are_those_of_interleaved_ones(tmp_path: Path, layout: dict[str, Any], compression: Any) -> None:
    expected = read_image(write(tmp_path / "together.tif", COLOUR, photometric="rgb"))
    np.testing.assert_allclose(expected, stretch(COLOUR), atol=1)
    for name, values in (("x", COLOUR), ("planar", np.ascontiguousarray(np.moveaxis(COLOUR, -1, 0)))):
        options = {"planarconfig": "separate"} if name == "planar" else {}
        path = write(tmp_path / f"{name}.tif", values, photometric="rgb", compression=compression, **layout, **options)
        np.testing.assert_array_equal(read_image(path), expected)
        assert image_size(path) == (30, 20)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits", "zstd"])
@pytest.mark.parametrize("predictor", [1, 2])
@pytest.mark.parametrize("kind", ["u1", "u2", "i4", "f4"])
def test_compressed_numbers(tmp_path: Path, compression: str, predictor: int, kind: str) -> None:
    values = (GREY.astype(kind) * (1 if kind == "u1" else 100)).astype(kind)
    predictor = 1 if kind == "f4" else predictor  # differences of fractions are another one
    path = pillow(tmp_path / "x.tif", values, compression, {317: predictor} if predictor > 1 else None)
    np.testing.assert_array_equal(numbers(path), values)


def test_differences_of_fractions(tmp_path: Path) -> None:
    values = np.linspace(-3, 1000, 600, dtype=np.float32).reshape(20, 30)
    # The bytes of all numbers of a row, the highest first, as differences.
    planes = values.astype(">f4").view(np.uint8).reshape(20, 30, 4).transpose(0, 2, 1).reshape(20, 120)
    coded = np.diff(planes, axis=1, prepend=np.uint8(0)).astype(np.uint8)
    path = write(tmp_path / "x.tif", coded.view("<f4"), compression="zlib", extratags=[(65000, "H", 1, 3, True)])
    own, predictor = (struct.pack("<HHIH", tag, 3, 1, 3) for tag in (65000, 317))
    path.write_bytes(path.read_bytes().replace(own, predictor))
    np.testing.assert_allclose(read_image(path)[..., 0], stretch(values), atol=1)


@pytest.mark.parametrize("bits", [1, 2, 4, 12])
def test_numbers_of_odd_bits(tmp_path: Path, bits: int) -> None:
    values = RNG.integers(0, 2**bits, (5, 7))
    spread = (values[..., None] >> np.arange(bits)[::-1] & 1).reshape(5, 7 * bits).astype(np.uint8)
    packed = np.packbits(spread, axis=1).tobytes()  # each row begins at a new byte
    path = write(tmp_path / "x.tif", np.zeros((5, -(-7 * bits // 8)), np.uint8), rowsperstrip=5)
    with tifffile.TiffFile(path, mode="r+") as file:
        page = file.pages[0]
        for tag, value in (("ImageWidth", 7), ("BitsPerSample", bits)):
            page.tags[tag].overwrite(value)
        offset = page.dataoffsets[0]
    whole = bytearray(path.read_bytes())
    whole[offset : offset + len(packed)] = packed
    path.write_bytes(whole)
    np.testing.assert_array_equal(numbers(path), values)
    shown = read_image(path)[..., 0]
    if bits <= 8:
        np.testing.assert_array_equal(shown, values * 255 // (2**bits - 1))


@pytest.mark.parametrize("kind", ["u1", "u2", "i2", "i4", "f4", "f8"])
def test_nodata_is_left_out_of_the_stretch_and_of_labels(tmp_path: Path, kind: str) -> None:
    nodata = 255 if kind == "u1" else -9999 if kind != "u2" else 65535
    hole = np.zeros((20, 30), bool)
    hole[:6] = True
    tag = [(42113, "s", 0, str(nodata), True)]
    values = GREY.astype(kind)
    clean = read_image(write(tmp_path / "clean.tif", values[6:]))
    path = write(tmp_path / "x.tif", np.where(hole, nodata, values).astype(kind), extratags=tag)
    found = read_image(path)
    assert not found[:6].any()
    np.testing.assert_array_equal(found[6:], clean)
    labels = write(tmp_path / "labels.tif", np.where(hole, nodata, OBJECTS.astype(kind)).astype(kind), extratags=tag)
    np.testing.assert_array_equal(numbers(labels), np.where(hole, 0, OBJECTS))


@pytest.mark.parametrize("text", ["nan", "-9999", "", "many", "1e999", "300.5"])
def test_nodata_that_no_pixel_can_be_changes_nothing(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "x.tif", GREY, extratags=[(42113, "s", 0, text, True)])
    np.testing.assert_array_equal(read_image(path)[..., 0], GREY)


def test_a_pixel_of_colours_is_nodata_if_all_of_them_are(tmp_path: Path) -> None:
    values = np.full((4, 5, 3), (0, 900, 100), np.uint16)
    values[0] = 0
    values[3] = (500, 0, 20)
    path = write(tmp_path / "x.tif", values, photometric="rgb", extratags=[(42113, "s", 0, "0", True)])
    found = read_image(path)
    assert not found[0].any()
    assert found[1, 0].tolist() == [0, 255, 28]


def test_near_infrared_tagged_as_alpha_is_left_out_and_said(tmp_path: Path) -> None:
    bands = np.dstack([GREY, GREY, GREY, np.full_like(GREY, 150)])
    path = write(tmp_path / "x.tif", bands, photometric="rgb", extrasamples=["unassalpha"])
    np.testing.assert_array_equal(read_image(path)[..., 0], GREY)
    assert "tagged as alpha" in verify_image(path)[0]
    cut = bands.copy()
    cut[..., 3] = np.where(OBJECTS, 255, 0)
    path = write(tmp_path / "cut.tif", cut, photometric="rgb", extrasamples=["unassalpha"])
    np.testing.assert_array_equal(read_image(path)[..., 0], np.where(OBJECTS, GREY, 255))
    assert verify_image(path) == ()


def test_12_bits_in_16_with_alpha(tmp_path: Path) -> None:
    for opaque in (4095, 65535):
        values = np.dstack([COLOUR, np.full((20, 30), opaque, np.uint16)])
        path = write(tmp_path / f"{opaque}.tif", values, photometric="rgb", extrasamples=["unassalpha"])
        np.testing.assert_allclose(read_image(path), stretch(COLOUR), atol=1)
        assert verify_image(path) == ()


def test_signed_bytes_are_not_taken_for_unsigned_ones(tmp_path: Path) -> None:
    values = np.arange(-100, 100, dtype=np.int8).reshape(10, 20)
    found = read_image(write(tmp_path / "x.tif", values))[..., 0].ravel().astype(int)
    assert (np.diff(found) >= 0).all()
    assert (found[0], found[-1]) == (0, 255)
    with pytest.raises(WesamError, match="x.tif") as caught:
        read_image(write(tmp_path / "x.tif", np.zeros((4, 4), np.complex64)))
    assert "complex" in str(caught.value)


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("count", [2, 4, 5, 13])
def test_other_numbers_of_bands_are_refused_and_chosen(tmp_path: Path, count: int, planar: str) -> None:
    bands = RNG.integers(0, 4000, (20, 30, count)).astype(np.uint16)
    stored = bands if planar == "contig" else np.ascontiguousarray(np.moveaxis(bands, -1, 0))
    path = write(tmp_path / "x.tif", stored, planarconfig=planar, extrasamples=["unspecified"] * (count - 1))
    assert image_size(path) == (30, 20)
    for read in (read_image, verify_image):
        with pytest.raises(WesamError, match=rf"x.tif: expected one band .* got {count}.*--bands 3,2,1"):
            read(path)
    grey = read_image(path, reading=ImageReading(bands=(count,)))
    np.testing.assert_allclose(grey[..., 0], stretch(bands[..., -1]), atol=1)
    with pytest.raises(WesamError, match=f"at least {count + 1} bands, as requested, got {count}"):
        read_image(path, reading=ImageReading(bands=(1, 2, count + 1)))
    if count > 2:
        found = read_image(path, reading=ImageReading(bands=(3, 2, 1)))
        np.testing.assert_allclose(found, stretch(bands[..., [2, 1, 0]]), atol=1)


def test_bands_that_tags_leave_open_but_not_much_are_read_and_said(tmp_path: Path) -> None:
    three = write(tmp_path / "three.tif", COLOUR, planarconfig="contig", extrasamples=["unspecified"] * 2)
    np.testing.assert_allclose(read_image(three), stretch(COLOUR), atol=1)
    assert "3 bands" in verify_image(three)[0]
    four = write(
        tmp_path / "four.tif", np.dstack([COLOUR, COLOUR[..., 0]]), photometric="rgb", extrasamples=["unspecified"]
    )
    np.testing.assert_allclose(read_image(four), stretch(COLOUR), atol=1)
    assert "first three" in verify_image(four)[0]


def test_a_page_of_a_stack_is_chosen_or_the_stack_is_refused(tmp_path: Path) -> None:
    stack = np.stack([GREY, GREY // 2, GREY // 3])
    path = write(tmp_path / "x.tif", stack)
    assert frames(path) == 3
    for read in (read_image, verify_image):
        with pytest.raises(WesamError, match="x.tif: expected one page, got a stack of 3: --page N .*--bands 1,2,3"):
            read(path)
    for number, page in enumerate(stack, start=1):
        np.testing.assert_array_equal(read_image(path, reading=ImageReading(page=number))[..., 0], page)
    with pytest.raises(WesamError, match="at least 4 pages, as requested, got 3"):
        read_image(path, reading=ImageReading(page=4))
    found = read_image(path, reading=ImageReading(bands=(3, 1, 2)))
    np.testing.assert_array_equal(found, np.moveaxis(stack[[2, 0, 1]], 0, -1))


@pytest.mark.parametrize("suffix", [".png", ".gif", ".webp"])
def test_a_frame_of_an_animation_is_chosen_or_it_is_refused(tmp_path: Path, suffix: str) -> None:
    pages = [Image.new("RGB", (6, 4), (n, n, n)) for n in (10, 90, 170)]
    path = tmp_path / f"x{suffix}"
    options = {"lossless": True} if suffix == ".webp" else {}
    pages[0].save(path, save_all=True, append_images=pages[1:], **options)
    with pytest.raises(WesamError, match="a stack of 3: --page N takes one of them$"):
        read_image(path)
    assert abs(int(read_image(path, reading=ImageReading(page=2))[0, 0, 0]) - 90) < 3


def test_smaller_copies_and_masks_of_a_page_are_no_pages(tmp_path: Path) -> None:
    path = tmp_path / "pyramid.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(GREY[::2, ::2], subfiletype=1, metadata=None, photometric="minisblack")
        file.write(GREY, metadata=None, photometric="minisblack")
        file.write(GREY > 9, subfiletype=4, metadata=None, photometric="minisblack")
    assert (frames(path), image_size(path)) == (1, (30, 20))
    np.testing.assert_array_equal(read_image(path)[..., 0], GREY)


def test_planes_that_are_no_pages_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tif", GREY, description="ImageJ=1.53t\nimages=40\nslices=40\n")
    with pytest.raises(WesamError, match="got 40 planes in one"):
        read_image(path)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_deep_pages_are_turned_upright(tmp_path: Path, orientation: int) -> None:
    path = write(tmp_path / "x.tif", COLOUR, photometric="rgb", extratags=[(274, "H", 1, orientation, True)])
    found = read_image(path)
    assert image_size(path) == (found.shape[1], found.shape[0])
    turned = tmp_path / "turned.png"
    tags = Image.Exif()
    tags[274] = orientation
    Image.fromarray(read_image(write(tmp_path / "plain.tif", COLOUR, photometric="rgb"))).save(turned, exif=tags)
    np.testing.assert_array_equal(found, read_image(turned))


def test_pages_that_are_compressed_as_pictures(tmp_path: Path) -> None:
    smooth = np.linspace(0, 255, 64 * 48).reshape(48, 64).astype(np.uint8)
    for values in (smooth, np.dstack([smooth] * 3)):
        path = pillow(tmp_path / "x.tif", values, "jpeg")
        assert np.abs(read_image(path)[..., 0].astype(int) - smooth).max() < 12
    ink = tmp_path / "ink.tif"
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(ink)
    assert np.abs(read_image(ink).astype(int) - [255, 0, 0]).max() < 5


def test_a_palette_shows_colours_and_stores_numbers(tmp_path: Path) -> None:
    palette = np.zeros((3, 256), np.uint16)
    palette[0, 2] = 65535
    path = write(tmp_path / "x.tif", OBJECTS, photometric="palette", colormap=palette)
    assert read_image(path)[12, 22].tolist() == [255, 0, 0]
    np.testing.assert_array_equal(numbers(path), OBJECTS)


def test_a_palette_that_lacks_its_end_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tif", OBJECTS, photometric="palette", colormap=np.zeros((3, 256), np.uint16))
    path.write_bytes(path.read_bytes().replace(struct.pack("<HHI", 320, 3, 768), struct.pack("<HHI", 320, 3, 700)))
    with pytest.raises(WesamError, match="x.tif: expected"):
        read_image(path)


def test_big_tiff_and_tiles_that_were_never_written(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tif", OBJECTS, bigtiff=True, tile=(16, 16))
    np.testing.assert_array_equal(numbers(path), OBJECTS)
    with tifffile.TiffFile(path, mode="r+") as file:
        tag = file.pages[0].tags["TileByteCounts"]
        tag.overwrite([0, *tag.value[1:]])
    expected = OBJECTS.copy()
    expected[:16, :16] = 0
    np.testing.assert_array_equal(numbers(path), expected)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_what_is_cut_short_or_lies_about_its_size_is_told(tmp_path: Path, compression: str | None) -> None:
    path = write(tmp_path / "x.tif", COLOUR, photometric="rgb", compression=compression)
    whole = path.read_bytes()
    path.write_bytes(whole[:-400])
    with pytest.raises(WesamError, match="x.tif: expected a whole"):
        verify_image(path)
    path.write_bytes(whole)
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages[0].tags["ImageWidth"].overwrite(60_000)
        file.pages[0].tags["ImageLength"].overwrite(60_000)
    for read in (read_image, read_values, image_size, verify_image):
        with pytest.raises(WesamError, match="x.tif: expected at most 200000000 pixels, got 60000 x 60000"):
            read(path)


def test_the_descriptions_of_programs_say_nothing_about_pixels(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tif", GREY, description=json.dumps({"shape": [9, 9, 9]}))
    np.testing.assert_array_equal(read_image(path)[..., 0], GREY)
