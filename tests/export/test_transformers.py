from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoProcessor, SamModel, SamProcessor

from tests.export.adapted import PIXELS, adapted_segmenter, assert_same_answers, encoded
from tests.full_disk import full_disk
from tests.tiny import tiny_sam
from wesam.errors import WesamError
from wesam.export.transformers import export_transformers
from wesam.models.segmenter import Segmenter
from wesam.updates.load import load_segmenter


def test_export_answers_as_the_adapted_segmenter_does(tmp_path: Path) -> None:
    segmenter = adapted_segmenter("all-linear")
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
    segmenter.input = replace(segmenter.input, mean=(0.1, 0.2, 0.3))
    export_transformers(segmenter, tmp_path / "out")
    for processor in (SamProcessor, AutoProcessor):
        loaded = processor.from_pretrained(tmp_path / "out")
        assert type(loaded) is SamProcessor
        image = loaded(np.zeros((40, 20, 3), np.uint8), return_tensors="pt")
        assert image["pixel_values"].shape == (1, 3, 64, 64)
        expected = -torch.tensor([0.1, 0.2, 0.3]) / torch.tensor([0.229, 0.224, 0.225])
        torch.testing.assert_close(image["pixel_values"][0, :, 0, 0].float(), expected)
    assert load_segmenter(tmp_path / "out", device="cpu").input.mean == (0.1, 0.2, 0.3)
    assert "torchvision" not in sys.modules


def test_an_existing_path_is_only_replaced_on_request(tmp_path: Path) -> None:
    out = tmp_path / "out"
    export_transformers(Segmenter(tiny_sam(seed=1), name="other"), out)
    segmenter = adapted_segmenter()
    with pytest.raises(WesamError, match="out: expected a path that does not exist yet"):
        export_transformers(segmenter, out)
    export_transformers(segmenter, str(out), overwrite=True)
    assert_same_answers(load_segmenter(out, device="cpu"), segmenter)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.png": ""}, "expected a model's folder with config.json to overwrite, got something else"),
        ({"config.json": '{"model_type": "bert"}'}, r"config\.json: model_type: expected sam to overwrite, got bert"),
        ({"config.json": "[]"}, r"config\.json: model_type: expected sam to overwrite, got None"),
        ({"config.json": '{"model_type": "sam"}', "thesis.txt": ""}, r"expected a folder with .*, got thesis\.txt too"),
    ],
)
def test_nothing_but_a_sam_is_written_over(files: dict[str, str], message: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for name, text in files.items():
        (out / name).write_text(text)
    with pytest.raises(WesamError, match=message):
        export_transformers(adapted_segmenter(), out, overwrite=True)
    assert {path.name: path.read_text() for path in out.iterdir()} == files


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    with full_disk(), pytest.raises(WesamError, match="out: expected a folder that can be written, got: "):
        export_transformers(adapted_segmenter(), tmp_path / "out")
    assert not list(tmp_path.iterdir())
