"""Random networks small enough for every test: a SAM has 64 x 64 input, 4 x 4 features, 16 x 16 masks, 57 k weights."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

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
    return _drawn(lambda: SamModel(tiny_config(input_size)), seed)


def tiny_model(family: str, seed: int = 0, **architecture: list[int]) -> Any:
    """A random network of a family, likewise: 64 x 64 input, 4 x 4 features, 16 x 16 masks (`sam3_tracker`: 56, 14)."""
    return _drawn(lambda: _BUILDERS[family](**architecture), seed)


def _drawn(build: Callable[[], Any], seed: int) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build()
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if "norm" in name or re.search(r"\bbn\d?\.", name):
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
            for name, buffer in model.named_buffers():
                if "positional_embedding" in name:
                    buffer.normal_()
                elif name.endswith("running_mean"):
                    buffer.normal_(std=0.1)
                elif name.endswith("running_var"):
                    buffer.uniform_(0.5, 1.5)
    return model.eval()


_PROMPTS = {"hidden_size": 16, "image_size": 64, "patch_size": 16, "mask_input_channels": 8}
_DECODER = {"hidden_size": 16, "num_attention_heads": 8, "mlp_dim": 32, "iou_head_hidden_dim": 16}
_SIZES = [[16, 16], [8, 8], [4, 4]]


def _sam_hq() -> Any:
    from transformers import SamHQConfig, SamHQModel

    sam = tiny_config()
    vision = {**sam.vision_config.to_dict(), "model_type": "sam_hq_vision_model"}
    config = SamHQConfig(
        vision_config=vision, prompt_encoder_config=_PROMPTS, mask_decoder_config=_DECODER | {"vit_dim": 32}
    )
    config.vision_config.scale = 1.0
    return SamHQModel(config)


def _sam2(
    blocks: Sequence[int] = (1, 1, 2, 1),
    widths: Sequence[int] = (8, 16, 24, 32),
    everywhere: Sequence[int] = (3,),
    heads: Sequence[int] = (1, 1, 2, 2),
) -> Any:
    from transformers import Sam2Config, Sam2Model

    backbone = {
        "model_type": "sam2_hiera_det_model",
        "hidden_size": 8,
        "image_size": [64, 64],
        "window_positional_embedding_background_size": [4, 4],
        "blocks_per_stage": list(blocks),
        "embed_dim_per_stage": list(widths),
        "num_attention_heads_per_stage": list(heads),
        "window_size_per_stage": [4, 4, 4, 4],
        "global_attention_blocks": list(everywhere),
    }
    vision = {
        "backbone_config": backbone,
        "backbone_channel_list": list(widths)[::-1],
        "backbone_feature_sizes": _SIZES,
        "fpn_hidden_size": 16,
    }
    return Sam2Model(Sam2Config(vision_config=vision, prompt_encoder_config=_PROMPTS, mask_decoder_config=_DECODER))


def _edgetam() -> Any:
    from transformers import EdgeTamConfig

    from wesam.models.edgetam_network import EfficientNetLiteConfig, build_edgetam

    backbone = EfficientNetLiteConfig(
        architecture="tf_efficientnet_lite0",
        model_args={"in_chans": 3, "features_only": True, "out_indices": [1, 2, 3, 4]},
    )
    vision = {
        "backbone_config": backbone,
        "backbone_channel_list": [320, 112, 40, 24],
        "backbone_feature_sizes": _SIZES,
        "fpn_hidden_size": 16,
        "fpn_top_down_levels": [0, 1, 2, 3],
    }
    config = EdgeTamConfig(vision_config=vision, prompt_encoder_config=_PROMPTS, mask_decoder_config=_DECODER)
    return build_edgetam(config)


def _sam3_tracker() -> Any:
    from transformers import Sam3TrackerConfig, Sam3TrackerModel

    backbone = {
        "model_type": "sam3_vit_model",
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 56,
        "patch_size": 14,
        "pretrain_image_size": 28,
        "window_size": 2,
        "global_attn_indexes": [1],
    }
    vision = {
        "model_type": "sam3_vision_model",
        "backbone_config": backbone,
        "fpn_hidden_size": 16,
        "backbone_feature_sizes": _SIZES,
        "scale_factors": [4.0, 2.0, 1.0],
    }
    prompts = _PROMPTS | {"image_size": 56, "patch_size": 14}
    return Sam3TrackerModel(
        Sam3TrackerConfig(vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=_DECODER)
    )


_BUILDERS: dict[str, Callable[..., Any]] = {
    "sam": lambda: SamModel(tiny_config()),
    "sam_hq": _sam_hq,
    "sam2": _sam2,
    "edgetam": _edgetam,
    "sam3_tracker": _sam3_tracker,
}
FAMILIES = tuple(_BUILDERS)


def tiny_segmenter(seed: int = 0, input_size: int = 64, family: str = "sam") -> Segmenter:
    """A tiny network behind the interface, in float32 on the CPU."""
    return Segmenter(tiny_sam(seed, input_size) if family == "sam" else tiny_model(family, seed), name="tiny")
