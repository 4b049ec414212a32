from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoProcessor, SamModel, SamProcessor

from tests.export.adapted import PIXELS, adapted_segmenter, assert_same_answers, encoded
from tests.tiny import tiny_sam
from wesam.errors import WesamError
from wesam.export.transformers import export_transformers
from wesam.segmenters.load import load_segmenter


@pytest.mark.parametrize("ranks", ["uniform", "falling"])
def test_export_answers_as_the_adapted_segmenter_does(tmp_path: Path, ranks: str) -> None:
    segmenter = adapted_segmenter("all-linear", ranks)  # type: ignore[arg-type]
    before = encoded(segmenter)
    export_transformers(segmenter, tmp_path / "out")
    assert torch.equal(encoded(segmenter), before)
    assert_same_answers(load_segmenter(tmp_path / "out", device="cpu"), segmenter)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]

    with torch.no_grad():
        features = SamModel.from_pretrained(tmp_path / "out").vision_encoder(PIXELS).last_hidden_state
    torch.testing.assert_close(features, before, rtol=1e-4, atol=1e-5)


def test_processor_has_the_models_size_and_statistics(tmp_path: Path) -> None:
    segmenter = adapted_segmenter()
    segmenter.pixel_mean = (0.1, 0.2, 0.3)
    export_transformers(segmenter, tmp_path / "out")
    for processor in (SamProcessor, AutoProcessor):
        loaded = processor.from_pretrained(tmp_path / "out")
        assert type(loaded) is SamProcessor
        image = loaded(np.zeros((40, 20, 3), np.uint8), return_tensors="pt")
        assert image["pixel_values"].shape == (1, 3, 64, 64)
        expected = -torch.tensor([0.1, 0.2, 0.3]) / torch.tensor([0.229, 0.224, 0.225])
        torch.testing.assert_close(image["pixel_values"][0, :, 0, 0].float(), expected)
    assert load_segmenter(tmp_path / "out", device="cpu").pixel_mean == (0.1, 0.2, 0.3)
    assert "torchvision" not in sys.modules


def test_an_existing_path_is_only_replaced_on_request(tmp_path: Path) -> None:
    tiny_sam(seed=1).save_pretrained(tmp_path / "out")
    (tmp_path / "out" / "stale.txt").write_text("old")
    segmenter = adapted_segmenter()
    with pytest.raises(WesamError, match="out: expected a path that does not exist yet"):
        export_transformers(segmenter, tmp_path / "out")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").touch()
    with pytest.raises(WesamError, match="photos: expected a model's folder with config.json to overwrite"):
        export_transformers(segmenter, tmp_path / "photos", overwrite=True)
    assert (tmp_path / "photos" / "a.png").exists()
    export_transformers(segmenter, str(tmp_path / "out"), overwrite=True)
    assert not (tmp_path / "out" / "stale.txt").exists()
    assert_same_answers(load_segmenter(tmp_path / "out", device="cpu"), segmenter)
