from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import SamConfig, SamModel

from tests.models.official import sam_oracle as oracle
from tests.tiny import tiny_config, tiny_sam
from wesam.errors import WesamError
from wesam.models.checkpoint import load_checkpoint_file
from wesam.models.official.fill import publisher_tensors
from wesam.models.official.sam import RULES, config_from_official, from_official, to_official


@pytest.fixture
def checkpoint(tmp_path: Path) -> tuple[Path, dict[str, torch.Tensor]]:
    """An original checkpoint that transformers never saw: its names and shapes are the oracle's list."""
    generator = torch.Generator().manual_seed(0)
    state = {
        name: torch.randn(shape, generator=generator) * (0.3 if len(shape) > 1 else 0.1) + ("norm" in name)
        for name, shape in oracle.tiny_shapes().items()
    }
    path = tmp_path / "sam_tiny.pth"
    torch.save(state, path)
    return path, state


def test_names_and_shapes_are_those_of_the_original() -> None:
    named = {name: tuple(tensor.shape) for name, tensor in to_official(tiny_sam()).items()}
    assert named == oracle.tiny_shapes()


def test_the_same_tensors_come_back(checkpoint: tuple[Path, dict[str, torch.Tensor]]) -> None:
    path, state = checkpoint
    back = to_official(load_checkpoint_file(path))
    assert back.keys() == state.keys()
    for name, tensor in state.items():
        assert torch.equal(back[name], tensor), name


def test_the_loaded_model_computes_what_the_original_does(
    checkpoint: tuple[Path, dict[str, torch.Tensor]],
) -> None:
    path, state = checkpoint
    model = load_checkpoint_file(path)
    pixels = torch.randn(3, 64, 64, generator=torch.Generator().manual_seed(1))
    box = torch.tensor([5.0, 9.0, 40.0, 60.0])
    features = oracle.encode(state, pixels)
    with torch.no_grad():
        torch.testing.assert_close(
            model.vision_encoder(pixels[None]).last_hidden_state[0], features, rtol=1e-4, atol=1e-4
        )
        answer = model(pixel_values=pixels[None], input_boxes=box[None, None], multimask_output=False)
    logits, iou = oracle.decode(state, features, box=box)
    assert logits.std() > 0.01
    torch.testing.assert_close(answer.pred_masks[0, 0, 0], logits, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(answer.iou_scores[0, 0, 0], iou, rtol=1e-3, atol=1e-4)


def test_positional_frequencies_are_one_tensor_after_loading() -> None:
    model = from_official(to_official(tiny_sam()))
    image, prompt = model.shared_image_embedding, model.prompt_encoder.shared_embedding
    assert image.positional_embedding is prompt.positional_embedding


def test_half_precision_tensors_become_float32() -> None:
    model = from_official({name: tensor.half() for name, tensor in to_official(tiny_sam()).items()})
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("width", "depth", "heads", "global_blocks"),
    [
        (768, 12, 12, [2, 5, 8, 11]),
        (1024, 24, 16, [5, 11, 17, 23]),
        (1280, 32, 16, [7, 15, 23, 31]),
    ],
    ids=["vit_b", "vit_l", "vit_h"],
)
def test_official_architectures_are_read_from_shapes(
    width: int, depth: int, heads: int, global_blocks: list[int]
) -> None:
    expected = SamConfig(
        vision_config={
            "hidden_size": width,
            "num_hidden_layers": depth,
            "num_attention_heads": heads,
            "global_attn_indexes": global_blocks,
        }
    )
    with torch.device("meta"):
        state = publisher_tensors(SamModel(expected).state_dict(), RULES)
    got = config_from_official(state)
    for part in ("vision_config", "prompt_encoder_config", "mask_decoder_config"):
        assert getattr(got, part).to_dict() == getattr(expected, part).to_dict()


def test_reduced_architecture_is_read_from_shapes() -> None:
    config = config_from_official(to_official(tiny_sam(input_size=128)))
    vision, decoder = config.vision_config, config.mask_decoder_config
    assert (vision.image_size, vision.patch_size, vision.hidden_size) == (128, 16, 32)
    assert (vision.num_attention_heads, vision.window_size, vision.mlp_dim) == (2, 3, 64)
    assert list(vision.global_attn_indexes) == [1]
    assert (decoder.hidden_size, decoder.mlp_dim, decoder.iou_head_hidden_dim) == (16, 32, 16)


def test_missing_unknown_and_misshapen_tensors_are_named() -> None:
    state = to_official(tiny_sam())
    lacking = {name: tensor for name, tensor in state.items() if name != "image_encoder.neck.3.bias"}
    with pytest.raises(WesamError, match=r"missing image_encoder\.neck\.3\.bias; unknown none"):
        from_official(lacking)
    with pytest.raises(WesamError, match=r"missing none; unknown mask_decoder\.hf_token\.weight"):
        from_official(state | {"mask_decoder.hf_token.weight": torch.zeros(1, 16)})
    with pytest.raises(WesamError, match=r"neck\.3\.bias: expected shape \(16,\), got \(7,\)"):
        from_official(state | {"image_encoder.neck.3.bias": torch.zeros(7)})
    with pytest.raises(WesamError, match="pos_embed: expected 4 dimensions"):
        from_official(state | {"image_encoder.pos_embed": torch.zeros(3)})
    rel_pos = "image_encoder.blocks.1.attn.rel_pos_h"
    with pytest.raises(WesamError, match="one window size"):
        from_official(state | {rel_pos: torch.zeros(23, 16)})


def test_what_the_format_cannot_tell_is_refused() -> None:
    config = tiny_config()
    config.mask_decoder_config.num_attention_heads = 4
    with pytest.raises(WesamError, match="decoder heads: expected 8, got 4"):
        to_official(SamModel(config))
