from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.export.adapted import adapted_segmenter, assert_same_answers, encoded
from tests.full_disk import full_disk
from tests.tiny import tiny_sam, tiny_segmenter
from wesam.errors import WesamError
from wesam.export.official import export_official
from wesam.models.official.sam import to_official
from wesam.updates.load import load_segmenter


def test_an_original_checkpoint_comes_back_tensor_by_tensor(tmp_path: Path) -> None:
    torch.save(to_official(tiny_sam()), tmp_path / "sam.pth")
    export_official(load_segmenter(tmp_path / "sam.pth", device="cpu"), tmp_path / "back.pth")
    original, back = (torch.load(tmp_path / name, weights_only=True) for name in ("sam.pth", "back.pth"))
    assert original.keys() == back.keys()
    for name, tensor in original.items():
        assert torch.equal(back[name], tensor), name
        assert not back[name].requires_grad


@pytest.mark.parametrize("target", ["qkv", "qv", "all-linear"])
def test_export_answers_as_the_adapted_segmenter_does(tmp_path: Path, target: str) -> None:
    segmenter = adapted_segmenter(target)  # type: ignore[arg-type]
    before = encoded(segmenter)
    export_official(segmenter, tmp_path / "new" / "out.pth")
    assert torch.equal(encoded(segmenter), before)
    assert_same_answers(load_segmenter(tmp_path / "new" / "out.pth", device="cpu"), segmenter)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["out.pth"]


def test_an_existing_path_is_only_replaced_on_request(tmp_path: Path) -> None:
    out = tmp_path / "out.pth"
    out.write_text("precious")
    segmenter = adapted_segmenter()
    with pytest.raises(WesamError, match=r"out\.pth: expected a path that does not exist yet"):
        export_official(segmenter, out)
    assert out.read_text() == "precious"
    export_official(segmenter, str(out), overwrite=True)
    assert_same_answers(load_segmenter(out, device="cpu"), segmenter)
    (tmp_path / "folder").mkdir()
    with pytest.raises(WesamError, match="folder: expected"):
        export_official(segmenter, tmp_path / "folder", overwrite=True)


def test_other_pixel_statistics_cannot_be_told(tmp_path: Path) -> None:
    segmenter = tiny_segmenter()
    segmenter.input = replace(segmenter.input, mean=(0.1, 0.2, 0.3))
    with pytest.raises(WesamError, match=r"pixel mean and std: expected .*0\.485.*, got .*0\.1"):
        export_official(segmenter, tmp_path / "out.pth")
    assert not (tmp_path / "out.pth").exists()


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    with full_disk(), pytest.raises(WesamError, match=r"out\.pth: expected a file that can be written, got: "):
        export_official(adapted_segmenter(), tmp_path / "out.pth")
    assert not list(tmp_path.iterdir())
