"""The source family: rich clean scenes the bundled model is trained on.

Four layouts, all built from the same shapes and materials: a *photo* (regions of background, a few large
things), *dead leaves* (occlusion everywhere), a *herd* (many alike on a textured ground) and a *field of
grains* (round, often touching bodies, brighter or darker than an even ground).
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from wesam.generated import shapes
from wesam.generated.canvas import Canvas, Float
from wesam.generated.textures import material, piece, random_colour, smooth_field


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _palette(rng: np.random.Generator) -> Float:
    """A handful of colours of one scene, (P, 3); sometimes all close to each other."""
    colours = np.stack([random_colour(rng) for _ in range(int(rng.integers(4, 9)))])
    if rng.uniform() < 0.35:  # a scene of one mood
        colours = colours.mean(0) + (colours - colours.mean(0)) * rng.uniform(0.3, 0.7)
    return np.asarray(colours, np.float32)


def _colour(rng: np.random.Generator, palette: Float) -> Float:
    pick = palette[rng.integers(len(palette))] + rng.normal(0, 0.05, 3)
    return np.asarray(np.clip(pick, 0.02, 0.98), np.float32)


def _look(rng: np.random.Generator) -> dict[str, Any]:
    """How things of a scene are finished: keyword arguments of `Canvas.paint`."""
    return {
        "strength": rng.uniform(0.3, 1.5),
        "shading": rng.uniform(0.1, 0.6) if rng.uniform() < 0.7 else 0.0,
        "shadow": rng.uniform(0.1, 0.6) if rng.uniform() < 0.5 else 0.0,
        "soft": rng.uniform(0.3, 1.2),
    }


def _regions(rng: np.random.Generator, canvas: Canvas, palette: Float) -> None:
    """Background: one ground, or a few regions (sky, water, wall, field) that are instances too."""
    size = canvas.size
    strength = rng.uniform(0.2, 1.3)
    canvas.image[:] = material(rng, size, size, _colour(rng, palette), strength)
    if rng.uniform() < 0.3:
        return
    everything = np.ones((size, size), np.uint8)
    canvas.parents.append(0)  # the ground itself
    canvas.labels[:] = 1
    for _ in range(int(rng.integers(1, 4))):
        y, x = np.mgrid[:size, :size].astype(np.float32) / size - 0.5
        angle = rng.normal(np.pi / 2, 0.25) if rng.uniform() < 0.6 else rng.uniform(0, 2 * np.pi)
        wobble = cv2.GaussianBlur(piece(rng, size, size, (0.6, 4)), (0, 0), rng.uniform(1, 10))
        border = smooth_field(rng, size, size, int(rng.integers(2, 7))) * rng.uniform(0, 0.2) + wobble * rng.uniform(
            0, 0.06
        )
        side = x * np.cos(angle) + y * np.sin(angle) + border > rng.uniform(-0.3, 0.4)
        canvas.paint(rng, everything & side, _colour(rng, palette), strength=strength, soft=rng.uniform(0.3, 2.5))


def _parts(
    rng: np.random.Generator,
    canvas: Canvas,
    whole: int,
    mask: np.ndarray,
    palette: Float,
    look: dict[str, Any],
) -> None:
    """Patches, windows, wings: instances inside an instance."""
    _x, _y, w, h = cv2.boundingRect(mask)
    reach = max(w, h) / 2
    if reach < 9:
        return
    ys, xs = np.nonzero(mask)
    for _ in range(int(rng.integers(1, 5))):
        k = rng.integers(len(xs))
        part = shapes.pick(rng)(rng, canvas.size, (float(xs[k]), float(ys[k])), reach * rng.uniform(0.15, 0.6))
        if part.sum() < 16:
            continue
        canvas.paint(
            rng,
            part,
            _colour(rng, palette),
            parent=whole,
            strength=look["strength"],
            shading=look["shading"],
            soft=look["soft"],
        )


def _thing(
    rng: np.random.Generator,
    canvas: Canvas,
    palette: Float,
    radius: float,
    look: dict[str, Any],
    shape: shapes.Shape | None = None,
) -> None:
    centre = tuple(rng.uniform(-0.05, 1.05, 2) * canvas.size)
    mask = (shape or shapes.pick(rng))(rng, canvas.size, centre, radius)
    whole = canvas.paint(rng, mask, _colour(rng, palette), **look)
    if whole and rng.uniform() < 0.3:
        _parts(rng, canvas, whole, mask, palette, look)


def _photo(rng: np.random.Generator, canvas: Canvas) -> None:
    palette, look = _palette(rng), _look(rng)
    _regions(rng, canvas, palette)
    if rng.uniform() < 0.4:  # out of focus behind the subject
        canvas.image[:] = cv2.GaussianBlur(canvas.image, (0, 0), rng.uniform(1, 6))
    s = canvas.size
    for radius in sorted((_log_uniform(rng, s / 14, s / 2.2) for _ in range(int(rng.integers(1, 7)))), reverse=True):
        _thing(rng, canvas, palette, radius, look)
    for _ in range(int(rng.integers(0, 8))):
        _thing(rng, canvas, palette, _log_uniform(rng, 6, max(7, s / 12)), look)


def _leaves(rng: np.random.Generator, canvas: Canvas) -> None:
    palette, look = _palette(rng), _look(rng)
    s = canvas.size
    canvas.image[:] = material(rng, s, s, _colour(rng, palette))
    count = int(rng.integers(12, 36))
    for radius in sorted((_log_uniform(rng, 8, s / 3) for _ in range(count)), reverse=rng.uniform() < 0.7):
        _thing(rng, canvas, palette, radius, look)


def _herd(rng: np.random.Generator, canvas: Canvas) -> None:
    palette, look = _palette(rng), _look(rng)
    _regions(rng, canvas, palette)
    shape, radius = shapes.pick(rng), _log_uniform(rng, 8, canvas.size / 6)
    kin = np.stack([_colour(rng, palette)] * 3) + rng.normal(0, 0.04, (3, 3)).astype(np.float32)
    for _ in range(int(np.clip(2500 / radius**1.4, 4, 45))):
        _thing(rng, canvas, kin, radius * rng.uniform(0.7, 1.3), look, shape)


def _grains(rng: np.random.Generator, canvas: Canvas) -> None:
    s = canvas.size
    dark_ground = rng.uniform() < 0.5
    ground = random_colour(rng) * (rng.uniform(0.02, 0.35) if dark_ground else 1.0)
    if not dark_ground:
        ground = 1 - (1 - ground) * rng.uniform(0.1, 0.7)
    body = random_colour(rng)
    if rng.uniform() < 0.5:  # greys
        ground, body = ground.mean(keepdims=True).repeat(3), body.mean(keepdims=True).repeat(3)
    contrast = rng.uniform(0.08, 0.7)
    target = ground + contrast * (1 if dark_ground else -1) * (0.4 + 0.6 * body)
    canvas.image[:] = material(rng, s, s, ground.astype(np.float32), rng.uniform(0.0, 0.5))
    radius, spread = _log_uniform(rng, 6, 36), rng.uniform(0.05, 0.4)
    look: dict[str, Any] = {
        "strength": rng.uniform(0.1, 1.0) * min(1.0, 2 * contrast),
        "shading": rng.uniform(0, 0.4),
        "soft": _log_uniform(rng, 0.4, min(2.2, radius / 4)),
    }
    choices = ((shapes.ellipse, 0.7), (shapes.blob, 0.3))
    centres: list[tuple[float, float]] = []
    for _ in range(int(np.clip(rng.uniform(0.1, 0.9) * s * s / (4 * radius**2), 5, 150))):
        if centres and rng.uniform() < 0.5:  # a neighbour that touches
            near = centres[rng.integers(len(centres))]
            turn = rng.uniform(0, 2 * np.pi)
            centre = (near[0] + 1.8 * radius * np.cos(turn), near[1] + 1.8 * radius * np.sin(turn))
        else:
            centre = tuple(rng.uniform(0, s, 2))
        mask = shapes.pick(rng, choices)(rng, s, centre, radius * np.exp(rng.normal(0, spread)))
        taken = int((mask & (canvas.labels > 0)).sum())
        if taken > 0.35 * mask.sum():
            continue
        tone = ground + (target - ground) * rng.uniform(0.35, 1.2)
        if canvas.paint(rng, mask, tone.astype(np.float32), beneath=rng.uniform() < 0.6, **look):
            centres.append(centre)


_LAYOUTS = ((_photo, 0.47), (_leaves, 0.18), (_herd, 0.12), (_grains, 0.23))


def source(rng: np.random.Generator, canvas: Canvas) -> None:
    """Paint one source scene."""
    layout = _LAYOUTS[rng.choice(len(_LAYOUTS), p=[share for _, share in _LAYOUTS])][0]
    layout(rng, canvas)
