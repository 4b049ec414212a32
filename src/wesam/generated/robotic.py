"""Target family *robotic*: a table top of boxes, brackets and shiny cans, alike and touching, under a low lamp.

The lamp throws hard shadows over the table and over the things behind.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from wesam.generated import shapes
from wesam.generated.canvas import Canvas, Float
from wesam.generated.textures import material, piece, random_colour


def _cuboid(rng: np.random.Generator, centre: tuple[float, float], radius: float) -> list[tuple[Float, float]]:
    """Top and two sides of a box seen from above: outlines (P, 2) with their brightness."""
    angle, height = rng.uniform(0.15, np.pi / 2 - 0.15), radius * rng.uniform(0.3, 1.3)
    a = radius * rng.uniform(0.5, 1.0) * np.array([np.cos(angle), 0.55 * np.sin(angle)])
    b = radius * rng.uniform(0.4, 0.9) * np.array([-np.sin(angle), 0.55 * np.cos(angle)])
    up, base = np.array([0.0, -height]), np.asarray(centre)
    near, left, right, far = base + a + b, base - a + b, base + a - b, base - a - b
    faces = [
        ((left, near, near + up, left + up), rng.uniform(0.55, 0.8)),
        ((near, right, right + up, near + up), rng.uniform(0.2, 0.5)),
        ((left + up, near + up, right + up, far + up), rng.uniform(1.0, 1.3)),
    ]
    return [(np.array(corners, np.float32), light) for corners, light in faces]


def _bracket(rng: np.random.Generator, centre: tuple[float, float], radius: float) -> list[tuple[Float, float]]:
    """An angle, a channel or a tee, cut from a thick plate: walls, then the top."""
    plans = (
        [(-1, -1), (1, -1), (1, -0.4), (-0.3, -0.4), (-0.3, 1), (-1, 1)],
        [(-1, -1), (1, -1), (1, 1), (0.5, 1), (0.5, -0.4), (-0.5, -0.4), (-0.5, 1), (-1, 1)],
        [(-1, -1), (1, -1), (1, -0.4), (0.3, -0.4), (0.3, 1), (-0.3, 1), (-0.3, -0.4), (-1, -0.4)],
    )
    angle, height = rng.uniform(0, 2 * np.pi), radius * rng.uniform(0.15, 0.5)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    base = radius * (np.array(plans[rng.integers(len(plans))]) @ turn.T) * [1, 0.6] + centre
    top = base - [0, height]
    walls = [
        (np.array([base[i - 1], base[i], top[i], top[i - 1]], np.float32), float(rng.uniform(0.2, 0.7)))
        for i in range(len(base))
    ]
    return [*walls, (top.astype(np.float32), float(rng.uniform(1.0, 1.3)))]


def _can(rng: np.random.Generator, centre: tuple[float, float], radius: float) -> list[tuple[Float, float]]:
    """Body and lid of a cylinder."""
    wide, high = radius * rng.uniform(0.35, 0.7), radius * rng.uniform(0.6, 1.6)
    theta = np.linspace(0, 2 * np.pi, 40)
    rim = np.stack([wide * np.cos(theta), 0.45 * wide * np.sin(theta)], 1)
    base = np.asarray(centre)
    hull = cv2.convexHull(np.concatenate([rim + base, rim + base - [0, high]]).astype(np.float32))[:, 0]
    shine = wide * (rng.uniform(-0.6, 0.3) + np.array([0, 0.3, 0.3, 0]))  # bare metal: a bright streak down the side
    streak = base + np.stack([shine, np.array([0.0, 0.0, -high, -high])], 1)
    return [
        (hull.astype(np.float32), 0.7),
        (streak.astype(np.float32), 2.5),
        ((rim + base - [0, high]).astype(np.float32), 1.1),
    ]


def _cast(canvas: Canvas, mask: shapes.Mask, flight: NDArray[np.float64], dark: float) -> None:
    """Throw a hard shadow over all that is painted: table and things farther away."""
    shadow = np.zeros_like(mask)
    for share in np.linspace(0, 1, 9):
        move = np.array([[1, 0, share * flight[0]], [0, 1, share * flight[1]]], np.float32)
        shadow |= cv2.warpAffine(mask, move, shadow.shape, flags=cv2.INTER_NEAREST).astype(np.uint8)
    canvas.image *= (1 - dark * cv2.GaussianBlur(shadow.astype(np.float32), (0, 0), 0.8))[..., None]


def robotic(rng: np.random.Generator, canvas: Canvas) -> None:
    """Four to fourteen things, the nearer ones in front."""
    s = canvas.size
    canvas.image[:] = material(rng, s, s, random_colour(rng), 0.6)
    lamp = rng.uniform(0, 2 * np.pi)
    flight = np.array([np.cos(lamp), -0.2 - 0.5 * abs(np.sin(lamp))])  # of the shadows: away from the viewer
    cluster = rng.uniform(0.35, 0.65, 2) * s
    dark, reach = rng.uniform(0.3, 0.5), rng.uniform(0.5, 1.2)
    stock = [random_colour(rng) for _ in range(2)]  # a shelf of one maker: neighbours share their colours
    places = cluster + rng.normal(0, s * rng.uniform(0.12, 0.22), (int(rng.integers(4, 15)), 2))
    for x, y in places[np.argsort(places[:, 1])]:
        radius = s * rng.uniform(0.06, 0.17)
        faces = (_cuboid, _bracket, _can)[rng.choice(3, p=(0.25, 0.55, 0.2))](rng, (float(x), float(y)), radius)
        colour = np.clip(stock[rng.integers(2)] * rng.uniform(0.85, 1.15), 0, 1).astype(np.float32)
        parts = []
        for outline, _ in faces:
            part = np.zeros((s, s), np.uint8)
            cv2.fillPoly(part, [np.round(outline * 16).astype(np.int32)], 1, shift=4)
            parts.append(part)
        whole = np.bitwise_or.reduce(parts)
        _cast(canvas, whole, radius * reach * flight, dark)
        if not canvas.paint(rng, whole, colour, strength=0.3, soft=0.5):
            continue
        shown = whole > 0
        for part, (_, light) in zip(parts, faces, strict=True):
            canvas.image[(part > 0) & shown] *= light
        if rng.uniform() < 0.8:  # a printed label
            print_ = parts[-1 if rng.uniform() < 0.5 else 0] > 0
            ink = 0.5 * np.tanh(3 * piece(rng, s, s, (1.0, 4.0)))[..., None] * random_colour(rng)
            canvas.image[print_] += (1.2 * ink)[print_]
    ramp = np.linspace(-0.5, 0.5, s, dtype=np.float32)
    tilt = np.cos(lamp) * ramp[None] + np.sin(lamp) * ramp[:, None]
    canvas.image *= (1 + rng.uniform(0.3, 0.9) * tilt)[..., None]
