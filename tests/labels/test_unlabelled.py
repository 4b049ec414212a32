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


def test_masks_and_flows_among_the_images_are_no_images(tmp_path: Path) -> None:
    """As Cellpose leaves them, and the Data Science Bowl has them."""
    for name in ("a.tif", "a_cp_masks.png", "a_flows.tif", "a_cp_output.png", "b_masks.png", "c_flows/d.png"):
        save(tmp_path / name)
    for name in ("id/images/x.png", "id/masks/1.png", "id/masks/2.png", "masks/alone.png"):
        save(tmp_path / name)
    samples, problems = load_unlabelled(tmp_path)
    assert [s.id for s in samples] == ["a.tif", "b_masks.png", "c_flows/d.png", "id/images/x.png", "masks/alone.png"]
    assert [problem.message for problem in problems] == [
        "5 files that are masks or flows of images beside them: a_cp_masks.png, a_cp_output.png, a_flows.tif, ..."
    ]
