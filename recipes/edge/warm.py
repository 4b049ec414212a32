"""The start: decoder and prompt encoder of `wesam-tiny`, and a neck that speaks its language.

A decoder that knows what a prompt is needs not be taught again: from there 2.5 minutes of one core reach what takes 20
from nothing, and the features are used from the first step.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import SamModel

from recipes.edge.network import EdgeNet
from wesam.assets import bundled_model_path

#: Deviation of the features at strides 4 and 8 at the start: the decoder meets them for the first time.
_QUIET = 0.15
#: And of the dense head's outputs.
_LOUD = 0.5


def warm_start(net: EdgeNet, pixels: Tensor) -> float:
    """Copies what fits, and fits the rest.

    Args:
        pixels: (N, 3, S, S) of some source images, several batches.

    Returns:
        Explained fraction of the variance of `wesam-tiny`'s features by the new neck.
    """
    tiny = SamModel.from_pretrained(bundled_model_path("wesam-tiny"), dtype=torch.float32).eval()
    _copy_decoder(net, tiny)
    _copy_prompt_encoder(net, tiny)
    _calibrate(net, pixels[:8])
    explained = _fit_neck(net, tiny, pixels)
    _quieten(net, pixels[:16])
    return explained


@torch.no_grad()
def _copy_decoder(net: EdgeNet, tiny: SamModel) -> None:
    source, own = tiny.mask_decoder.state_dict(), net.sam.mask_decoder.state_dict()
    for name in own:
        old = name
        if ".mlp." in name and "transformer" in name:
            old = old.replace("proj_in", "lin1").replace("proj_out", "lin2")
        old = old.replace("o_proj", "out_proj")
        if old in source and source[old].shape == own[name].shape:
            own[name] = source[old]
    # SAM predicts the IoU itself; here a sigmoid follows
    own["iou_prediction_head.proj_out.weight"] = 4 * source["iou_prediction_head.proj_out.weight"]
    own["iou_prediction_head.proj_out.bias"] = 4 * source["iou_prediction_head.proj_out.bias"] - 2
    own["obj_score_token.weight"] = 0.1 * own["obj_score_token.weight"]
    net.sam.mask_decoder.load_state_dict(own)


@torch.no_grad()
def _copy_prompt_encoder(net: EdgeNet, tiny: SamModel) -> None:
    old, new = tiny.prompt_encoder, net.sam.prompt_encoder
    for part in ("mask_embed", "no_mask_embed", "not_a_point_embed"):
        getattr(new, part).load_state_dict(getattr(old, part).state_dict())
    new.point_embed.weight.copy_(torch.cat([embedding.weight for embedding in old.point_embed]))
    for place in (new.shared_embedding, net.sam.shared_image_embedding):
        place.positional_embedding.copy_(old.shared_embedding.positional_embedding)


@torch.no_grad()
def _calibrate(net: EdgeNet, pixels: Tensor, loud: float = 0.3) -> None:
    """Scales the new convolutions by what they meet: every level starts equally loud and without an offset."""
    for convolution, hidden in zip(net.sam.vision_encoder.neck.convs, net.hidden(pixels)[::-1], strict=True):
        convolution.weight *= 0.7 * loud / convolution(hidden).std()
        convolution.bias -= convolution(hidden).mean((0, 2, 3))
    _scale(net, pixels, _LOUD, _LOUD)


@torch.no_grad()
def _quieten(net: EdgeNet, pixels: Tensor) -> None:
    _scale(net, pixels, _QUIET, _LOUD)


def _scale(net: EdgeNet, pixels: Tensor, side: float, dense: float) -> None:
    """Deviation of the features at strides 4 and 8, and of the dense head's outputs."""
    (stride4, stride8, _), projected = net.project(net.hidden(pixels))
    decoder = net.sam.mask_decoder
    decoder.conv_s0.weight *= side / stride4.std()
    decoder.conv_s1.weight *= side / stride8.std()
    net.heads.project.weight *= dense / projected.std()


@torch.no_grad()
def _fit_neck(net: EdgeNet, tiny: SamModel, pixels: Tensor, ridge: float = 1e-3) -> float:
    """The neck's two coarse convolutions by ridge regression, from the backbone's features to wesam-tiny's."""
    inputs, outputs = [], []
    for some in pixels.split(8):
        hidden = net.hidden(some)
        both = torch.cat([hidden[2], F.interpolate(hidden[3], scale_factor=2.0, mode="nearest")], 1)
        inputs.append(_cells(both))
        outputs.append(_cells(tiny.vision_encoder(some).last_hidden_state))
    x, y = torch.cat(inputs).double(), torch.cat(outputs).double()
    x_mean, y_mean = x.mean(0), y.mean(0)
    x, y = x - x_mean, y - y_mean
    gram = x.T @ x
    gram += ridge * gram.diagonal().mean() * torch.eye(len(gram))
    weight = torch.linalg.solve(gram, x.T @ y).T
    coarsest, coarse = net.sam.vision_encoder.neck.convs[:2]
    channels = coarse.weight.shape[1]
    coarse.weight.copy_(weight[:, :channels, None, None])
    coarsest.weight.copy_(weight[:, channels:, None, None])
    coarse.bias.copy_(y_mean - weight @ x_mean)
    coarsest.bias.zero_()
    return float(1 - (y - x @ weight.T).square().sum() / y.square().sum())


def _cells(features: Tensor) -> Tensor:
    return features.float().permute(0, 2, 3, 1).flatten(0, 2)
