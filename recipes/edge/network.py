"""The EdgeTAM that becomes `wesam-edge`, initialised for training, and how it computes fast on a CPU.

transformers' own modules and names throughout; only the order of a few linear operations differs, and a test holds both
to the same output.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import EdgeTamConfig, EdgeTamModel

from recipes.edge.backbone import prepare_for_training
from wesam.models.edgetam_network import EfficientNetLiteConfig, build_edgetam
from wesam.models.efficientnet_lite import EfficientNetLite

Levels = tuple[Tensor, Tensor, Tensor]

_IMAGENET_MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
_IMAGENET_STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


def edge_config(size: int = 256, width: int = 128, architecture: str = "tf_efficientnet_lite0") -> EdgeTamConfig:
    """SAM 2's neck and decoder, `width` channels wide, on features at strides 4 to 32 of `size` x `size` pixels."""
    channels = EfficientNetLite(architecture).channels
    return EdgeTamConfig(
        vision_config={
            "backbone_config": EfficientNetLiteConfig(
                architecture=architecture,
                model_args={"in_chans": 3, "features_only": True, "out_indices": [1, 2, 3, 4]},
            ),
            "backbone_channel_list": channels[::-1],
            "backbone_feature_sizes": [[size // stride] * 2 for stride in (4, 8, 16)],
            "fpn_hidden_size": width,
            "fpn_top_down_levels": [0, 1, 2, 3],
        },
        prompt_encoder_config={"hidden_size": width, "image_size": size, "patch_size": 16},
        mask_decoder_config={
            "hidden_size": width,
            "mlp_dim": 4 * width,
            "num_attention_heads": 8,
            "iou_head_hidden_dim": width,
            # the mask asked for is the mask given, in training and in use
            "dynamic_multimask_via_stability": False,
        },
    )


class DenseHead(nn.Module):
    """Training-only outputs of each cell at stride 4: an edge, three colours, an instance embedding."""

    def __init__(self, channels: int, embedding: int = 8) -> None:
        super().__init__()
        self.project = nn.Conv2d(channels, 1 + 3 + embedding, 1)

    @staticmethod
    def split(projected: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Edges (B, 1, m, m), colours (B, 3, m, m) and embedding (B, E, m, m)."""
        projected = projected.float()
        return projected[:, :1], projected[:, 1:4], projected[:, 4:]


class EdgeNet(nn.Module):
    """The model and its training-only heads. BatchNorm is frozen: a batch of eight is no statistic.

    Args:
        size: side of the input, pixels.
        bf16: autocast of encoder and decoder.

    Attributes:
        sam: what is exported.
        heads: what is dropped.
    """

    def __init__(self, size: int = 256, bf16: bool = True) -> None:
        super().__init__()
        self.size, self.bf16 = size, bf16
        self.sam: EdgeTamModel = build_edgetam(edge_config(size))
        self.sam.mask_decoder.config._attn_implementation = "eager"  # for tiny heads twice as fast as the fused kernel
        _initialise(self.sam)
        prepare_for_training(self.backbone)
        self.heads = DenseHead(self.sam.hidden_dim)
        _draw(self.heads)
        # batches come normalised as SAM's; the backbone was trained on pixels in [-1, 1]
        self.register_buffer("scale", _IMAGENET_STD / 0.5, persistent=False)
        self.register_buffer("shift", (_IMAGENET_MEAN - 0.5) / 0.5, persistent=False)
        self.train()

    @property
    def backbone(self) -> EfficientNetLite:
        """Features of the image."""
        backbone: EfficientNetLite = self.sam.vision_encoder.backbone.timm_model
        return backbone

    @property
    def grid(self) -> int:
        """Side of the mask grid."""
        return int(self.sam.prompt_encoder.mask_input_size[0])

    def train(self, mode: bool = True) -> EdgeNet:
        """BatchNorm stays in evaluation mode."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def hidden(self, pixels: Tensor) -> list[Tensor]:
        """The backbone's features, from fine to coarse."""
        return self.backbone((pixels * self.scale + self.shift).contiguous(memory_format=torch.channels_last))

    def encode(self, pixels: Tensor) -> tuple[Levels, Tensor]:
        """Features at strides 4, 8 and 16 as the decoder takes them, and what the dense head projects.

        Args:
            pixels: (B, 3, S, S), normalised with ImageNet's mean and deviation.
        """
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            return self.project(self.hidden(pixels))

    def project(self, hidden: list[Tensor]) -> tuple[Levels, Tensor]:
        """transformers' FPN, the decoder's convolutions of the fine levels and the dense head in one.

        All are linear: folded, there are never 128 channels at more than 16 x 16 cells.
        """
        decoder, neck = self.sam.mask_decoder, self.sam.vision_encoder.neck
        coarsest, coarse, middle, fine = neck.convs
        fine_weight = torch.cat([decoder.conv_s0.weight, self.heads.project.weight])
        fine_bias = torch.cat([decoder.conv_s0.bias, self.heads.project.bias])
        all_weights = torch.cat([decoder.conv_s1.weight, fine_weight]).flatten(1)
        to_middle, to_fine = len(decoder.conv_s1.weight), len(decoder.conv_s0.weight)

        embedding = coarse(hidden[2]) + _twice(coarsest(hidden[3]))
        below = F.conv2d(embedding, _pointwise(all_weights))
        projected = F.conv2d(hidden[1], _pointwise(all_weights @ middle.weight.flatten(1))) + _twice(below)
        projected = projected + (all_weights @ middle.bias).view(1, -1, 1, 1)
        stride8 = projected[:, :to_middle] + decoder.conv_s1.bias.view(1, -1, 1, 1)
        weights = all_weights[to_middle:]
        projected = F.conv2d(
            hidden[0], _pointwise(weights @ fine.weight.flatten(1)), weights @ fine.bias + fine_bias
        ) + _twice(projected[:, to_middle:])
        embedding = embedding + self.sam.no_memory_embedding.view(1, -1, 1, 1).to(embedding.dtype)
        return (projected[:, :to_fine], stride8, embedding), projected[:, to_fine:]

    def ask(
        self,
        levels: Levels,
        *,
        boxes: Tensor | None = None,
        points: Tensor | None = None,
        labels: Tensor | None = None,
        masks: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """All masks of K prompts an image: logits (B K, 4, m, m), the first the single mask, and IoU (B K, 4)."""
        given = next(x for x in (boxes, points, masks) if x is not None)
        images, each = given.shape[:2]
        if points is None and boxes is None:  # SAM 2 does not know a mask without a point: one that says "none"
            points, labels = torch.zeros(images, each, 1, 2), -torch.ones(images, each, 1)
        sparse, dense = self.sam.prompt_encoder(
            input_points=points,
            input_labels=None if labels is None else labels.long(),
            input_boxes=boxes,
            input_masks=None if masks is None else masks.flatten(0, 1)[:, None],
        )
        if masks is None:
            dense = dense[:1]
        position = self.sam.get_image_wide_positional_embeddings()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            return _decode(self.sam, levels, sparse.flatten(0, 1)[:, None], dense, position)


def _twice(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def _pointwise(matrix: Tensor) -> Tensor:
    return matrix[..., None, None]


def _decode(
    sam: EdgeTamModel, levels: Levels, sparse: Tensor, dense: Tensor, position: Tensor
) -> tuple[Tensor, Tensor]:
    """As `EdgeTamMaskDecoder.forward`, for all four masks, of prompts (P, 1, T, C) that share B images."""
    decoder = sam.mask_decoder
    stride4, stride8, embedding = levels
    prompts, images = len(sparse), len(embedding)
    each = prompts // images
    tokens = torch.cat([decoder.obj_score_token.weight, decoder.iou_token.weight, decoder.mask_tokens.weight])
    tokens = torch.cat([tokens.expand(prompts, 1, -1, -1), sparse], 2)
    answers, image = decoder.transformer(
        point_embeddings=tokens,
        image_embeddings=embedding.float().repeat_interleave(each, 0) + dense,
        image_positional_embeddings=position,
        attention_similarity=None,
    )
    image = image.transpose(2, 3).reshape(prompts, *embedding.shape[1:])
    image = _add(decoder.upscale_conv1(image), stride8)
    image = decoder.activation(decoder.upscale_layer_norm(image))
    image = decoder.activation(_add(decoder.upscale_conv2(image), stride4))
    weights = torch.stack([mlp(answers[:, 0, 2 + i]) for i, mlp in enumerate(decoder.output_hypernetworks_mlps)], 1)
    logits = weights.to(image.dtype) @ image.flatten(2)
    iou = decoder.iou_prediction_head(answers[:, 0, 1])
    return logits.reshape(prompts, weights.shape[1], *image.shape[2:]).float(), iou.float()


def _add(prompts: Tensor, level: Tensor) -> Tensor:
    """Adds a level of B images to the prompts of each, (B K, C, h, w)."""
    return (prompts.view(len(level), -1, *prompts.shape[1:]) + level[:, None]).flatten(0, 1)


@torch.no_grad()
def _initialise(sam: EdgeTamModel) -> None:
    """Weights fit for training from nothing, as `recipes.pretraining.network` gives its model and says why."""
    for part in (sam.vision_encoder.neck, sam.mask_decoder, sam.prompt_encoder):
        _draw(part)
    for name, module in sam.named_modules():
        if isinstance(module, nn.Embedding):
            quiet = 0.1 if "no_mask" in name else 0.3
            nn.init.normal_(module.weight, std=1.0 if "mask_decoder" in name else quiet)
    for module in sam.mask_decoder.transformer.modules():
        if hasattr(module, "internal_dim") and module.internal_dim < module.hidden_size:
            nn.init.orthogonal_(module.q_proj.weight)
            module.k_proj.weight.copy_(module.q_proj.weight)
    positions = sam.prompt_encoder.shared_embedding.positional_embedding.normal_(std=0.25)
    sam.shared_image_embedding.positional_embedding.copy_(positions)


def _draw(part: nn.Module) -> None:
    for module in part.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
