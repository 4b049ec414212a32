"""A random SAM small enough for every test: 64 x 64 input, 4 x 4 features, 16 x 16 masks, 57 k weights."""

from __future__ import annotations

import torch
from transformers import SamConfig, SamMaskDecoderConfig, SamModel, SamPromptEncoderConfig, SamVisionConfig

from wesam.models.segmenter import Segmenter


def tiny_config(input_size: int = 64) -> SamConfig:
    """One windowed and one global layer. The decoder keeps SAM's 8 heads, which a `.pth` cannot tell."""
    vision = SamVisionConfig(
        hidden_size=32,
        output_channels=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=input_size,
        patch_size=16,
        window_size=3,  # does not divide the grid: windows are padded, as in SAM's 14 on 64
        global_attn_indexes=[1],
        num_pos_feats=8,
        mlp_dim=64,
        initializer_range=0.02,  # the default of 1e-10 is meant for loading weights
    )
    vision.scale = 1.0  # likewise hidden_size // 2, under which neighbouring points have unrelated codes
    prompt = SamPromptEncoderConfig(hidden_size=16, image_size=input_size, patch_size=16, mask_input_channels=8)
    decoder = SamMaskDecoderConfig(hidden_size=16, num_attention_heads=8, mlp_dim=32, iou_head_hidden_dim=16)
    return SamConfig(vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=decoder)


def tiny_sam(seed: int = 0, input_size: int = 64) -> SamModel:
    """A random `SamModel` whose masks depend on image and prompt; the same seed, the same weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = SamModel(tiny_config(input_size))
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if "norm" in name:
                    continue
                if name.endswith("bias"):
                    parameter.normal_(std=0.1)
                elif "shared" in name:
                    parameter.normal_()
                elif "embed" in name and "conv" not in name and "patch" not in name:
                    parameter.normal_(std=0.5)
                elif "rel_pos" in name:
                    parameter.normal_(std=0.2)
                else:
                    parameter.normal_(std=1.5 / parameter[0].numel() ** 0.5)
    return model.eval()


def tiny_segmenter(seed: int = 0, input_size: int = 64) -> Segmenter:
    """`tiny_sam` behind the interface, in float32 on the CPU."""
    return Segmenter(tiny_sam(seed, input_size), name="tiny")
