"""The strong view: the same geometry, other colours (WeSAM, arXiv 2312.03502; METHOD section 2)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import torch
from kornia.enhance import (
    adjust_brightness,
    adjust_contrast_with_mean_subtraction,
    equalize,
    posterize,
    sharpness,
    solarize,
)
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor

# Pixels that kornia's 3 x 3 sharpening kernel needs along each side.
_SHARPNESS_MIN_SIDE = 3


Strength = Literal["off", "mild", "default", "strong"]


class PhotometricSettings(BaseModel):
    """How often and how strongly each change is applied; every image draws each change on its own.

    A run chooses a row of `STRENGTHS`.

    The list of changes is the paper's; it names no strengths, so all defaults are chosen here. The two that
    reorder the tones of an image (equalize, solarize) come less often than those that keep them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    posterize_probability: float = Field(default=0.5, ge=0, le=1, description="chosen here")
    posterize_bits: tuple[int, int] = Field(
        default=(4, 7), description="range of bits kept of each channel's 8 (chosen here)"
    )
    equalize_probability: float = Field(default=0.2, ge=0, le=1, description="chosen here")
    sharpness_probability: float = Field(default=0.5, ge=0, le=1, description="chosen here")
    sharpness_factor: tuple[float, float] = Field(
        default=(1.0, 3.0), description="range; 1 leaves the image as it is (chosen here)"
    )
    solarize_probability: float = Field(default=0.2, ge=0, le=1, description="chosen here")
    solarize_threshold: tuple[float, float] = Field(
        default=(0.5, 1.0), description="range; brighter values are inverted (chosen here)"
    )
    brightness_contrast_probability: float = Field(default=0.5, ge=0, le=1, description="chosen here")
    brightness: float = Field(default=0.2, ge=0, le=1, description="largest shift either way (chosen here)")
    contrast: float = Field(default=0.2, ge=0, le=1, description="largest relative change either way (chosen here)")
    shadow_probability: float = Field(default=0.5, ge=0, le=1, description="chosen here")
    shadow_depth: tuple[float, float] = Field(
        default=(0.2, 0.6), description="range of the share of light that is lost (chosen here)"
    )

    @model_validator(mode="after")
    def _ranges_are_ordered_and_possible(self) -> PhotometricSettings:
        limits: dict[str, tuple[float, float]] = {
            "posterize_bits": (1, 8),
            "sharpness_factor": (0, math.inf),
            "solarize_threshold": (0, 1),
            "shadow_depth": (0, 1),
        }
        for name, (least, most) in limits.items():
            low, high = getattr(self, name)
            if not least <= low <= high <= most:
                raise ValueError(f"{name}: expected {least} <= low <= high <= {most}, got low={low} and high={high}")
        return self


#: What a user chooses among. `mild` leaves out what reorders the tones of an image (chosen here).
STRENGTHS: Mapping[Strength, PhotometricSettings] = {
    "off": PhotometricSettings(
        posterize_probability=0,
        equalize_probability=0,
        sharpness_probability=0,
        solarize_probability=0,
        brightness_contrast_probability=0,
        shadow_probability=0,
    ),
    "mild": PhotometricSettings(
        posterize_probability=0.25,
        posterize_bits=(5, 7),
        equalize_probability=0,
        sharpness_probability=0.25,
        sharpness_factor=(1.0, 2.0),
        solarize_probability=0,
        brightness=0.1,
        contrast=0.1,
        shadow_probability=0.25,
        shadow_depth=(0.1, 0.3),
    ),
    "default": PhotometricSettings(),
    "strong": PhotometricSettings(
        equalize_probability=0.3,
        sharpness_factor=(1.0, 4.0),
        solarize_probability=0.3,
        brightness_contrast_probability=0.8,
        brightness=0.3,
        contrast=0.4,
        shadow_depth=(0.2, 0.7),
    ),
}


def strong_view(image: Tensor, settings: PhotometricSettings, generator: torch.Generator) -> Tensor:
    """Changes colours and light of an image, nothing of its geometry.

    Args:
        image: (3, h, w) float in [0, 1], not padded (padding would count as black in histograms and means).
        settings: what to do, how often and how strongly.
        generator: all draws come from it, always in the same number.

    Returns:
        (3, h, w) float in [0, 1].
    """
    if image.ndim != 3 or len(image) != 3:
        raise ValueError(f"expected an image (3, h, w), got {tuple(image.shape)}")
    # In double precision and drawn at once: a switched-off change leaves the draws of the others as they are.
    switches = torch.rand(6, generator=generator, dtype=torch.float64).tolist()
    strengths = torch.rand(7, generator=generator, dtype=torch.float64).tolist()
    angle, edge = torch.rand(2, generator=generator, dtype=torch.float64).tolist()

    def between(limits: tuple[float, float], index: int) -> float:
        return float(limits[0] + (limits[1] - limits[0]) * strengths[index])

    if switches[0] < settings.posterize_probability:
        low, high = settings.posterize_bits
        image = posterize(image, min(high, int(between((low, high + 1), 0))))
    if switches[1] < settings.equalize_probability:
        image = equalize(image)
    if switches[2] < settings.sharpness_probability and min(image.shape[1:]) >= _SHARPNESS_MIN_SIDE:
        image = sharpness(image, between(settings.sharpness_factor, 1))
    if switches[3] < settings.solarize_probability:
        image = solarize(image, between(settings.solarize_threshold, 2))
    if switches[4] < settings.brightness_contrast_probability:
        image = adjust_brightness(image, between((-settings.brightness, settings.brightness), 3))
        factor = between((1 - settings.contrast, 1 + settings.contrast), 4)
        image = adjust_contrast_with_mean_subtraction(image, factor)
    if switches[5] < settings.shadow_probability:
        softness = between((0.02, 0.2), 6)
        image = image * _shadow(image.shape[1:], between(settings.shadow_depth, 5), angle, edge, softness).to(image)
    return image.clamp(0, 1)


def _shadow(size: torch.Size, depth: float, angle: float, edge: float, softness: float) -> Tensor:
    """(h, w) light left over when a half-plane lies in soft shadow.

    Args:
        size: (h, w).
        depth: share of light lost deep in the shadow.
        angle: direction of the shadow, in turns.
        edge: where its border crosses the image along that direction, 0 to 1.
        softness: width of the penumbra, as a share of the image's diagonal.
    """
    height, width = size
    direction_x, direction_y = math.cos(2 * math.pi * angle), math.sin(2 * math.pi * angle)
    y = (torch.arange(height) + 0.5 - height / 2)[:, None] * direction_y
    x = (torch.arange(width) + 0.5 - width / 2)[None, :] * direction_x
    reach = (abs(direction_x) * width + abs(direction_y) * height) / 2
    distance = x + y - (2 * edge - 1) * reach
    return 1 - depth * torch.sigmoid(distance / (softness * math.hypot(width, height)))
