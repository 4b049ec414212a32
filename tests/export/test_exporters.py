from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.tiny import FAMILIES, tiny_segmenter
from wesam.errors import WesamError
from wesam.export import exporters
from wesam.export.exporters import export_model, formats, register
from wesam.models.load import load_source
from wesam.models.segmenter import Segmenter


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_comes_back_from_transformers_folder_as_it_was(family: str, tmp_path: Path) -> None:
    segmenter = tiny_segmenter(family=family)
    export_model(segmenter, "transformers", tmp_path / "out")
    again = load_source(tmp_path / "out", device="cpu")
    assert again.family is segmenter.family
    assert again.input == segmenter.input
    weights = segmenter.state_dict()
    for name, tensor in again.state_dict().items():
        assert torch.equal(tensor, weights[name]), name
    export_model(segmenter, "transformers", tmp_path / "out", overwrite=True)


def test_an_unknown_format_is_refused_with_the_list(tmp_path: Path) -> None:
    with pytest.raises(WesamError, match="a model of type sam can be exported to official, transformers; got onnnx"):
        export_model(tiny_segmenter(), "onnnx", tmp_path / "out")
    with pytest.raises(WesamError, match="exported to transformers; got official"):
        export_model(tiny_segmenter(family="sam3_tracker"), "official", tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_an_exporter_is_added_from_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporters, "_EXPORTERS", dict(exporters._EXPORTERS))

    def names(segmenter: Segmenter, out: str | Path, overwrite: bool = False) -> None:
        Path(out).write_text("\n".join(segmenter.state_dict()))

    register("sam", "names", names)
    assert formats("sam") == ["names", "official", "transformers"]
    export_model(tiny_segmenter(), "names", tmp_path / "out.txt")
    assert "network.mask_decoder.iou_token.weight" in (tmp_path / "out.txt").read_text()
