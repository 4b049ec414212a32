from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.automatic.conftest import PatchSegmenter, picture
from wesam.automatic import cache as module
from wesam.automatic.cache import CandidateCache
from wesam.automatic.settings import GridSettings
from wesam.errors import WesamError
from wesam.types import Sample

GRID = GridSettings(points_per_side=4)


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    Image.fromarray(picture(40, 60, (10, 10, 30, 30))).save(tmp_path / "a.png")
    return Sample("a.png", tmp_path / "a.png", 60, 40)


def cache(
    folder: Path, segmenter: PatchSegmenter, grid: GridSettings = GRID, tile: int | None = None
) -> CandidateCache:
    return CandidateCache(folder / "cache", segmenter, grid, tile, overlap=8)


def test_what_comes_back_is_what_was_found(tmp_path: Path, patches: PatchSegmenter, sample: Sample) -> None:
    first = cache(tmp_path, patches).get(sample)
    asked = patches.asked
    second = cache(tmp_path, patches).get(sample)
    assert patches.asked == asked > 0
    for name, value in asdict(first).items():
        np.testing.assert_array_equal(getattr(second, name), value)


def test_another_name_is_the_same_image(tmp_path: Path, patches: PatchSegmenter, sample: Sample) -> None:
    cache(tmp_path, patches).get(sample)
    asked = patches.asked
    shutil.copy(sample.path, tmp_path / "b.png")
    cache(tmp_path, patches).get(Sample("b.png", tmp_path / "b.png", 60, 40))
    assert patches.asked == asked


def test_an_overlap_of_no_tiles_is_no_other_question(tmp_path: Path, patches: PatchSegmenter, sample: Sample) -> None:
    for overlap in (0, 64):
        CandidateCache(tmp_path / "cache", patches, GRID, None, overlap).get(sample)
    assert patches.asked == 16


@pytest.mark.parametrize("change", ["image", "weights", "grid", "tile"])
def test_what_changes_the_answer_is_asked_anew(
    change: str, tmp_path: Path, patches: PatchSegmenter, sample: Sample
) -> None:
    cache(tmp_path, patches).get(sample)
    asked = patches.asked
    grid, tile = GRID, None
    if change == "image":
        Image.fromarray(picture(40, 60, (12, 10, 30, 30))).save(sample.path)
    elif change == "weights":
        torch.nn.init.constant_(patches.weight, 0.99)
    elif change == "grid":
        grid = GridSettings(points_per_side=5)
    else:
        tile = 32
    cache(tmp_path, patches, grid, tile).get(sample)
    assert patches.asked > asked


def test_damage_anywhere_is_only_a_reason_to_ask_again(tmp_path: Path, patches: PatchSegmenter, sample: Sample) -> None:
    kept = cache(tmp_path, patches)
    first = kept.get(sample)
    (file,) = (tmp_path / "cache").glob("*.npz")
    whole = file.read_bytes()
    for place in range(0, len(whole), 7):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        np.testing.assert_array_equal(kept.get(sample).logits, first.logits)


@pytest.mark.parametrize("damage", [b"", b"no archive", None])
def test_a_damaged_file_is_made_again(
    damage: bytes | None, tmp_path: Path, patches: PatchSegmenter, sample: Sample
) -> None:
    kept = cache(tmp_path, patches)
    first = kept.get(sample)
    (file,) = (tmp_path / "cache").glob("*.npz")
    file.write_bytes(file.read_bytes()[:-200] if damage is None else damage)
    np.testing.assert_array_equal(kept.get(sample).logits, first.logits)


def test_a_kill_while_writing_leaves_no_file(
    tmp_path: Path, patches: PatchSegmenter, sample: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(stream: object, **arrays: object) -> None:
        stream.write(b"half")  # type: ignore[attr-defined]
        raise KeyboardInterrupt

    monkeypatch.setattr(module.np, "savez_compressed", killed)
    with pytest.raises(KeyboardInterrupt):
        cache(tmp_path, patches).get(sample)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_folder_that_cannot_be_is_named(tmp_path: Path, patches: PatchSegmenter) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(WesamError, match=r"cache: expected a folder that can be written"):
        cache(tmp_path, patches)
