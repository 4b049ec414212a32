from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import Sam2Config, Sam2Model

from tests.models.official import names
from wesam.errors import WesamError
from wesam.models.checkpoint import load_checkpoint_file
from wesam.models.official import sam2
from wesam.models.official.fill import publisher_tensors
from wesam.models.official.sam2 import RULES, config_from_official

# As transformers' own documentation of its configurations has them: tiny is its default.
_PUBLISHED: dict[str, dict[str, Any]] = {
    "tiny": {},
    "small": {"blocks_per_stage": [1, 2, 11, 2], "global_attention_blocks": [7, 10, 13]},
    "base plus": {
        "hidden_size": 112,
        "embed_dim_per_stage": [112, 224, 448, 896],
        "num_attention_heads_per_stage": [2, 4, 8, 16],
        "blocks_per_stage": [2, 3, 16, 3],
        "global_attention_blocks": [12, 16, 20],
        "window_positional_embedding_background_size": [14, 14],
    },
    "large": {
        "hidden_size": 144,
        "embed_dim_per_stage": [144, 288, 576, 1152],
        "num_attention_heads_per_stage": [2, 4, 8, 16],
        "blocks_per_stage": [2, 6, 36, 4],
        "global_attention_blocks": [23, 33, 43],
        "window_size_per_stage": [8, 4, 16, 8],
    },
}


@pytest.mark.parametrize("size", sam2.SIZES)
def test_published_sizes_are_told_by_their_tensors(size: str) -> None:
    widths = _PUBLISHED[size].get("embed_dim_per_stage", [96, 192, 384, 768])
    backbone = {"model_type": "sam2_hiera_det_model", **_PUBLISHED[size]}
    expected = Sam2Config(vision_config={"backbone_config": backbone, "backbone_channel_list": widths[::-1]})
    with torch.device("meta"):
        state = publisher_tensors(Sam2Model(expected).state_dict(), RULES)
    got = config_from_official(state)
    for part in ("vision_config", "prompt_encoder_config", "mask_decoder_config"):
        assert getattr(got, part).to_dict() == getattr(expected, part).to_dict()


def test_another_size_is_refused_with_what_to_do(tmp_path: Path) -> None:
    state = {name: torch.zeros(shape) for name, shape in names.sam2((1, 1, 1, 1)).items()}
    torch.save({"model": state}, tmp_path / "sam2_pruned.pt")
    with pytest.raises(WesamError, match=r"published size \(width and blocks: tiny \(96, 12\).*, got \(8, 4\).*config"):
        load_checkpoint_file(tmp_path / "sam2_pruned.pt")


@pytest.mark.parametrize("version", ["2.0", "2.1"])
def test_both_versions(version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sam2.SIZES, "test", sam2.Hiera(8, (1, 1, 2, 1), 1, (4, 4, 4, 4), (3,), 4, 64))
    shapes = names.sam2(version=version)
    torch.save({"model": {name: torch.zeros(shape) for name, shape in shapes.items()}}, tmp_path / "sam2.pt")
    model = load_checkpoint_file(tmp_path / "sam2.pt")
    assert sam2.to_official(model).keys() == shapes.keys()
    assert not any("memory_attention" in name for name in model.state_dict())
