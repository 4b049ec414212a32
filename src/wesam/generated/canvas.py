"""The canvas every family paints on: a picture and, exactly aligned, who owns each pixel."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from wesam.generated.textures import material

Float = NDArray[np.float32]
BACKGROUND = 0
MAX_INSTANCES = 254  # ids fit into a byte


@dataclass(frozen=True)
class Scene:
    """One synthetic picture and its objects.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        masks: (N, H, W) bool, the visible part of each instance; parts lie inside their whole.
    """

    image: NDArray[np.uint8]
    masks: NDArray[np.bool_]


class Canvas:
    """A picture being painted, back to front.

    Attributes:
        image: (S, S, 3) float32 RGB, about [0, 1].
        labels: (S, S) uint8, the topmost instance of each pixel; 0 is nobody's.
        parents: parent id of instance i at index i - 1; 0 if it stands alone.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.image: Float = np.zeros((size, size, 3), np.float32)
        self.labels: NDArray[np.uint8] = np.zeros((size, size), np.uint8)
        self.parents: list[int] = []

    @property
    def full(self) -> bool:
        """Whether no further instance can be named."""
        return len(self.parents) >= MAX_INSTANCES

    def paint(
        self,
        rng: np.random.Generator,
        mask: NDArray[np.uint8],
        base: Float,
        *,
        strength: float = 1.0,
        shading: float = 0.0,
        shadow: float = 0.0,
        soft: float = 0.6,
        opacity: float = 1.0,
        parent: int = 0,
        beneath: bool = False,
    ) -> int:
        """Paint a new instance and return its id, or 0 if nothing of it can be seen.

        Args:
            mask: (S, S) in {0, 1}.
            base: mean colour, (3,).
            strength: of the texture.
            shading: 0 flat to 1 strongly rounded.
            shadow: darkness of the shadow cast on what lies under it, 0 to 1.
            soft: edge blur, pixels (standard deviation); the mask is where the edge is half way.
            opacity: 1 hides what is under it.
            parent: id whose visible pixels the part is confined to.
            beneath: paint only where nothing is yet (touching, never overlapping).
        """
        if parent:
            mask = mask & (self.labels == parent)
        if beneath:
            mask = mask & (self.labels == BACKGROUND)
        x, y, w, h = cv2.boundingRect(mask)
        if w < 3 or h < 3 or self.full:
            return 0
        pad = int(3 * soft) + (int(0.3 * max(w, h)) + 4 if shadow else 2)
        x0, y0, x1, y1 = (
            max(x - pad, 0),
            max(y - pad, 0),
            min(x + w + pad, self.size),
            min(y + h + pad, self.size),
        )
        roi = np.s_[y0:y1, x0:x1]
        inside, under = mask[roi], self.image[roi]
        hard = inside.astype(np.float32)
        if shadow:
            reach = rng.uniform(0.03, 0.15) * max(w, h) + 1
            angle = rng.uniform(0, 2 * np.pi)
            move = np.array([[1, 0, reach * np.cos(angle)], [0, 1, reach * np.sin(angle)]], np.float32)
            dark = cv2.GaussianBlur(cv2.warpAffine(hard, move, hard.shape[::-1]), (0, 0), reach * 0.6 + 0.5)
            under *= (1 - shadow * dark)[..., None]
        surface = material(rng, y1 - y0, x1 - x0, base, strength)
        if shading:
            surface = surface * (1 + shading * self._relief(rng, inside))[..., None]
        alpha = cv2.GaussianBlur(hard, (0, 0), soft) if soft > 0.2 else hard
        if soft > 1.2:  # a blurred edge must not leave the object: half way stays half way
            alpha = np.clip(alpha, 0, 1)
        alpha = (alpha * opacity)[..., None]
        under *= 1 - alpha
        under += alpha * surface
        self.parents.append(parent)
        self.labels[mask > 0] = len(self.parents)
        return len(self.parents)

    @staticmethod
    def _relief(rng: np.random.Generator, inside: NDArray[np.uint8]) -> Float:
        """Light on a rounded body, about [-1, 1]: its distance transform taken as height."""
        height = np.sqrt(cv2.distanceTransform(inside, cv2.DIST_L2, 3))
        reach = max(1.0, 0.08 * max(inside.shape))
        height = cv2.GaussianBlur(height, (0, 0), reach)
        gx, gy = cv2.Sobel(height, cv2.CV_32F, 1, 0), cv2.Sobel(height, cv2.CV_32F, 0, 1)
        angle = rng.normal(-np.pi / 2, 1.0)  # light mostly from above
        slope = gx * np.cos(angle) + gy * np.sin(angle)
        return np.asarray(np.clip(-slope / (np.abs(slope).max() + 1e-6), -1, 1), np.float32)

    def descendants(self, instance: int) -> list[int]:
        """The instance itself and all its parts."""
        return descendants(self.parents, instance)


def descendants(parents: list[int], instance: int) -> list[int]:
    """Ids of an instance and all its parts; parts always carry higher ids than their whole."""
    found = [instance]
    for child in range(instance + 1, len(parents) + 1):
        if parents[child - 1] in found:
            found.append(child)
    return found


def instance_masks(
    labels: NDArray[np.uint8], parents: list[int], min_area: int = 40, min_side: int = 8
) -> NDArray[np.bool_]:
    """Visible masks of all instances that are large enough to be asked for, (N, H, W).

    Args:
        labels: (H, W), topmost instance of each pixel.
        parents: parent ids, see `Canvas`.
    """
    masks = []
    for instance in range(1, len(parents) + 1):
        mask = np.isin(labels, descendants(parents, instance)) if 0 in parents and any(parents) else labels == instance
        _x, _y, w, h = cv2.boundingRect(mask.astype(np.uint8))
        if mask.sum() >= min_area and min(w, h) >= min_side:
            masks.append(mask)
    return np.stack(masks) if masks else np.zeros((0, *labels.shape), bool)


def develop(rng: np.random.Generator, image: Float, harsh: float = 1.0) -> NDArray[np.uint8]:
    """Camera: light falloff, colour cast, gamma, blur, sensor noise and JPEG, to (H, W, 3) uint8.

    Args:
        image: (H, W, 3) about [0, 1].
        harsh: scales blur and noise.
    """
    size = image.shape[0]
    out = np.clip(image, 0, 1)
    if rng.uniform() < 0.5:
        ramp = np.linspace(-1, 1, size, dtype=np.float32)
        tilt = rng.normal(0, 0.2, 2)
        out = out * np.clip(1 + tilt[0] * ramp[:, None] + tilt[1] * ramp[None], 0.2, 2)[..., None]
    if rng.uniform() < 0.4:
        out = out * rng.normal(1, 0.1, 3).astype(np.float32)
    if rng.uniform() < 0.5:
        out = np.clip(out, 0, 1) ** np.float32(np.exp(rng.normal(0, 0.3)))
    if rng.uniform() < 0.3:  # haze: low contrast
        out = rng.uniform(0.2, 0.6) + (out - 0.4) * rng.uniform(0.3, 0.8)
    if rng.uniform() < 0.1:
        out = np.repeat(out.mean(-1, keepdims=True), 3, -1)
    if rng.uniform() < 0.5:
        out = cv2.GaussianBlur(out, (0, 0), rng.uniform(0.3, 1.1) * harsh)
    sigma = rng.uniform(0, 0.035) * harsh
    out = out + sigma * rng.standard_normal(out.shape, np.float32)
    pixels = np.clip(out * 255, 0, 255).astype(np.uint8)
    if rng.uniform() < 0.5:
        _, code = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 95))])
        decoded = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)
        pixels = np.ascontiguousarray(decoded[..., ::-1])
    return pixels
