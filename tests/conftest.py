"""A small labelled image set and a small model on disk, as a user would have them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from tests.image_set import ImageSet, make_image_set
from tests.tiny import tiny_sam

__all__ = ["ImageSet"]

# A machine that is busy is not a wrong result.
settings.register_profile("wesam", deadline=None)
settings.load_profile("wesam")


@pytest.fixture(scope="session")
def image_set(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    """Six images of two or three bright ellipses each, 64 x 48 pixels."""
    return make_image_set(tmp_path_factory.mktemp("image_set"))


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random SAM in transformers' format."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    tiny_sam(seed=0).save_pretrained(folder)
    return folder


@pytest.fixture
def masks_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """For models of random weights, all of whose masks reach around the image: such masks are prompts, too."""
    monkeypatch.setattr("wesam.automatic.select._AROUND", 1.0)
