from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from wesam.errors import WesamError
from wesam.labels.unlabelled import load_unlabelled


def save(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(path)


def test_every_usable_image_and_why_others_are_left_out(tmp_path: Path) -> None:
    save(tmp_path / "b.png")
    save(tmp_path / "a" / "c.jpg")
    (tmp_path / "broken.png").write_bytes((tmp_path / "b.png").read_bytes()[:50])
    (tmp_path / "notes.txt").write_text("no image")
    samples, problems = load_unlabelled(tmp_path)
    assert [(sample.id, sample.width, sample.height) for sample in samples] == [("a/c.jpg", 30, 20), ("b.png", 30, 20)]
    assert not any(sample.instances for sample in samples)
    assert len(problems) == 1
    assert "broken.png" in str(problems[0])


def test_a_folder_without_a_usable_image_is_named(tmp_path: Path) -> None:
    with pytest.raises(WesamError, match=r"expected at least one image, found none$"):
        load_unlabelled(tmp_path)
    (tmp_path / "broken.png").write_bytes(b"")
    with pytest.raises(WesamError, match=r"found none; 1 cannot be used, the first: .*broken\.png"):
        load_unlabelled(tmp_path)
    with pytest.raises(WesamError, match="found no such folder"):
        load_unlabelled(tmp_path / "nowhere")
