"""The fifteen corruptions: the same noise from the same seed, and folders that are whole or not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from wesam import corruptions as module
from wesam.corruptions import CORRUPTIONS, corrupt, corrupt_folder
from wesam.errors import WesamError


@pytest.fixture
def image() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path: Path, image: NDArray[np.uint8]) -> Path:
    (tmp_path / "images" / "sub").mkdir(parents=True)
    for name in ("a.png", "b.webp", "sub/c.jpg"):
        Image.fromarray(image).save(tmp_path / "images" / name)
    return tmp_path / "images"


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_seed_fixes_the_noise(name: str, image: NDArray[np.uint8]) -> None:
    once, again = corrupt(image, name, 3, seed=5), corrupt(image, name, 3, seed=5)
    assert once.shape == image.shape
    assert once.dtype == np.uint8
    assert (once != image).any()
    np.testing.assert_array_equal(once, again)


@pytest.mark.parametrize("name", ["gaussian_noise", "impulse_noise", "glass_blur"])
def test_another_seed_is_other_noise(name: str, image: NDArray[np.uint8]) -> None:
    assert (corrupt(image, name, 3, seed=5) != corrupt(image, name, 3, seed=6)).any()


def test_copies_keep_their_names_and_their_pixels_where_the_format_can(folder: Path, tmp_path: Path) -> None:
    assert corrupt_folder(folder, tmp_path / "out", "brightness", 1) == 3
    names = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*"))
    assert names == ["a.png", "b.webp", "sub/c.jpg"]
    webp = np.asarray(Image.open(folder / "b.webp").convert("RGB"))
    written = np.asarray(Image.open(tmp_path / "out" / "b.webp").convert("RGB"))
    np.testing.assert_array_equal(written, corrupt(webp, "brightness", 1, seed=0))  # brightness draws nothing


def test_a_folder_that_cannot_be_finished_is_not_begun(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    with pytest.raises(WesamError, match="corruption: expected one of"):
        corrupt_folder(folder, out, "fogg", 3)
    Image.new("RGB", (16, 16)).save(folder / "sub" / "small.png")
    with pytest.raises(WesamError, match=r"small\.png: corruption: expected an image of at least 32 x 32"):
        corrupt_folder(folder, out, "fog", 3)
    (folder / "sub" / "small.png").unlink()

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "corrupt", stopped)
        with pytest.raises(KeyboardInterrupt):
            corrupt_folder(folder, out, "fog", 3)
    assert not out.exists()
    assert corrupt_folder(folder, out, "fog", 3) == 3
    with pytest.raises(WesamError, match="expected a new or empty folder"):
        corrupt_folder(folder, out, "fog", 3)
