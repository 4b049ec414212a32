"""Target family *natural*: landscapes and still lives of shapes and textures the source never uses.

Fractal outlines (midpoint displacement), superellipses, spirals and forking plants, filled with domain-warped noise.
A scene has three colours, and everything wears two of them: edges inside a thing are as strong as its outline.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from wesam.generated import shapes
from wesam.generated.canvas import Canvas, Float
from wesam.generated.textures import random_colour, smooth_field, spectral_noise


def _fractal_line(rng: np.random.Generator, points: int, rough: float) -> Float:
    """Midpoint displacement from 0 to 0, (points,), points = 2**k + 1."""
    line = np.zeros(points)
    step, scale = points - 1, 1.0
    while step > 1:
        half = step // 2
        middle = np.arange(half, points, step)
        line[middle] = (line[middle - half] + line[middle + half]) / 2 + rng.normal(0, scale, len(middle))
        step, scale = half, scale * rough
    return np.asarray(line, np.float32)


def crag(rng: np.random.Generator, size: int, centre: tuple[float, float], radius: float) -> shapes.Mask:
    """A rock: circle with a fractal rim."""
    theta = np.linspace(0, 2 * np.pi, 129)
    r = np.clip(1 + 0.25 * _fractal_line(rng, 129, rng.uniform(0.45, 0.7)), 0.3, 1.8)[:-1]
    aspect = rng.uniform(0.5, 1.0)
    outline = np.stack([r * np.cos(theta[:-1]), aspect * r * np.sin(theta[:-1])], 1) * radius / r.max() + centre
    mask = np.zeros((size, size), np.uint8)
    cv2.fillPoly(mask, [outline.astype(np.int32)], 1)
    return mask


def pebble(rng: np.random.Generator, size: int, centre: tuple[float, float], radius: float) -> shapes.Mask:
    """Superellipse: from pillow to diamond."""
    y, x = np.mgrid[:size, :size].astype(np.float32)
    angle, power = rng.uniform(0, np.pi), np.exp(rng.uniform(np.log(0.7), np.log(5)))
    u = (x - centre[0]) * np.cos(angle) + (y - centre[1]) * np.sin(angle)
    v = -(x - centre[0]) * np.sin(angle) + (y - centre[1]) * np.cos(angle)
    inside = np.abs(u / radius) ** power + np.abs(v / (radius * rng.uniform(0.4, 1))) ** power < 1
    return np.asarray(inside, np.uint8)


def snail(rng: np.random.Generator, size: int, centre: tuple[float, float], radius: float) -> shapes.Mask:
    """A thick spiral with a foot."""
    theta = np.linspace(0, rng.uniform(3, 5) * np.pi, 90)
    r = radius * (0.15 + 0.55 * theta / theta[-1])
    turn = rng.uniform(0, 2 * np.pi)
    path = np.stack([r * np.cos(theta + turn), r * np.sin(theta + turn)], 1) + centre
    mask = np.zeros((size, size), np.uint8)
    cv2.polylines(mask, [path.astype(np.int32)], False, 1, max(2, int(radius * rng.uniform(0.25, 0.45))))
    return mask


def fern(rng: np.random.Generator, size: int, centre: tuple[float, float], radius: float) -> shapes.Mask:
    """A plant: a stem that forks, its twigs ending in leaves."""
    mask = np.zeros((size, size), np.uint8)

    def grow(foot: NDArray[np.float64], angle: float, length: float, depth: int) -> None:
        tip = foot + length * np.array([np.cos(angle), np.sin(angle)])
        cv2.line(mask, tuple(foot.astype(int).tolist()), tuple(tip.astype(int).tolist()), 1, max(2, int(length / 5)))
        if depth == 0:
            leaf = (max(2, int(length * 0.5)), max(2, int(length * 0.3)))
            cv2.ellipse(mask, tuple(tip.astype(int).tolist()), leaf, float(np.degrees(angle)), 0, 360, 1, -1)
            return
        for turn in rng.uniform(0.35, 0.8) * np.array([-1, 0, 1]) + rng.normal(0, 0.15, 3):
            grow(tip, angle + float(turn), length * rng.uniform(0.6, 0.75), depth - 1)

    foot = np.array([centre[0], centre[1] + radius])
    grow(foot, float(rng.normal(-np.pi / 2, 0.2)), radius * 0.7, 2)
    return mask


_THINGS = ((crag, 0.15), (pebble, 0.1), (snail, 0.3), (fern, 0.45))


def _cloth(rng: np.random.Generator, size: int, colour: Float, other: Float) -> Float:
    """Domain-warped noise of two colours, (size, size, 3)."""
    noise = spectral_noise(rng, 256, rng.uniform(0.9, 1.6))
    y, x = np.mgrid[:size, :size].astype(np.float32)
    bend = rng.uniform(5, 40)
    u, v = (bend * cv2.resize(spectral_noise(rng, 64, 1.8), (size, size)) for _ in range(2))
    zoom = rng.uniform(0.5, 1.5)
    warped = cv2.remap(noise, x * zoom + u, y * zoom + v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    blend = 1 / (1 + np.exp(-4 * warped))[..., None]
    return np.asarray(colour * blend + other * (1 - blend), np.float32)


def natural(rng: np.random.Generator, canvas: Canvas) -> None:
    """Layered hills under a sky, then things in front of them."""
    s = canvas.size
    # everything wears two of three colours: patches contrast as much as outlines, and no colour is one thing's own
    palette = np.stack([random_colour(rng) for _ in range(3)])
    light = rng.permutation([0.2, 0.5, 0.85]).astype(np.float32)[:, None]  # as bright as each other, they would hide
    palette = np.clip(palette * light / palette.mean(1, keepdims=True), 0, 1)
    canvas.image[:] = palette[0] * (1 + 0.3 * np.linspace(-1, 1, s, dtype=np.float32)[:, None, None])
    for depth in sorted(rng.uniform(0.25, 0.8, int(rng.integers(1, 4)))):
        line = _fractal_line(rng, 257, rng.uniform(0.4, 0.62))
        crest = (depth + 0.08 * np.interp(np.arange(s), np.linspace(0, s - 1, 257), line)) * s
        hill = (np.arange(s)[:, None] > crest[None]).astype(np.uint8)
        _clad(rng, canvas, hill, palette)
    for radius in sorted(s * np.exp(rng.uniform(np.log(0.04), np.log(0.3), int(rng.integers(3, 10)))), reverse=True):
        centre = (float(rng.uniform(0, s)), float(rng.uniform(0.3, 1) * s))
        _clad(rng, canvas, shapes.pick(rng, _THINGS)(rng, s, centre, float(radius)), palette, shadow=0.4)
    canvas.image *= (1 + 0.15 * smooth_field(rng, s, s))[..., None]


def _clad(rng: np.random.Generator, canvas: Canvas, mask: shapes.Mask, palette: Float, shadow: float = 0.0) -> None:
    """Paint an instance, then lay a cloth of two of the palette's colours over it, keeping the shading."""
    if canvas.paint(rng, mask, np.full(3, 0.5, np.float32), strength=0.0, shading=0.3, shadow=shadow, soft=0.6):
        first, second = rng.permutation(len(palette))[:2]
        cloth = 2 * _cloth(rng, canvas.size, palette[first], palette[second])
        canvas.image[mask > 0] *= cloth[mask > 0]
