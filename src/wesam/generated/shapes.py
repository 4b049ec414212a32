"""Procedural shapes: each draws one binary mask on a canvas.

Every function takes (rng, size, centre, radius) and returns an (size, size) uint8 mask in {0, 1}:
`centre` is (x, y) in pixels and `radius` the half extent in pixels that the shape aims at.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from wesam.generated.textures import piece

Mask = NDArray[np.uint8]
Outline = NDArray[np.float64]  # (P, 2) corners (x, y)
Shape = Callable[[np.random.Generator, int, tuple[float, float], float], Mask]
_SHIFT = 4  # sub-pixel bits of OpenCV's fixed-point coordinates


def _fill(size: int, points: Outline) -> Mask:
    mask = np.zeros((size, size), np.uint8)
    cv2.fillPoly(mask, [np.round(points * (1 << _SHIFT)).astype(np.int32)], 1, shift=_SHIFT)
    return mask


def _place(rng: np.random.Generator, points: Outline, centre: tuple[float, float], radius: float) -> Outline:
    """Turn, squeeze and move a unit outline, (P, 2)."""
    squeeze = rng.uniform(0.35, 1.0) if rng.uniform() < 0.6 else 1.0
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    placed: Outline = (points * [1.0, squeeze]) @ turn.T * radius + np.asarray(centre)
    return placed


def _polar(rng: np.random.Generator, harmonics: int, rough: float, count: int = 72) -> Outline:
    theta = np.linspace(0, 2 * np.pi, count, endpoint=False)
    order = np.arange(2, 2 + harmonics)[:, None]
    wave = (rng.normal(0, 1, (harmonics, 1)) / order * np.cos(order * theta + rng.uniform(0, 6.3, (harmonics, 1)))).sum(
        0
    )
    r = np.clip(1 + rough * wave, 0.25, 2)
    outline: Outline = np.stack([r * np.cos(theta), r * np.sin(theta)], 1) / r.max()
    return outline


def blob(rng: np.random.Generator, size: int, centre: tuple[float, float], radius: float) -> Mask:
    """Smooth random outline."""
    return _fill(size, _place(rng, _polar(rng, int(rng.integers(2, 9)), rng.uniform(0.1, 0.9)), centre, radius))


def ellipse(rng: np.random.Generator, size: int, centre: tuple[float, float], radius: float) -> Mask:
    """Slightly irregular ellipse."""
    return _fill(size, _place(rng, _polar(rng, 3, rng.uniform(0, 0.12)), centre, radius))


def polygon(rng: np.random.Generator, size: int, centre: tuple[float, float], radius: float) -> Mask:
    """Three to nine corners, star-shaped around the centre."""
    theta = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(3, 10))))
    r = rng.uniform(0.45, 1.0, len(theta))
    return _fill(size, _place(rng, np.stack([r * np.cos(theta), r * np.sin(theta)], 1), centre, radius))


def box(rng: np.random.Generator, size: int, centre: tuple[float, float], radius: float) -> Mask:
    """Quadrilateral: a rectangle seen at a slight tilt, sometimes with rounded corners."""
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * 0.75 + rng.uniform(-0.15, 0.15, (4, 2))
    mask = _fill(size, _place(rng, corners, centre, radius))
    if rng.uniform() < 0.4 and radius > 8:
        k = int(radius / 4) | 1
        mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (k, k))).astype(
            np.uint8
        )
    return mask


def flower(rng: np.random.Generator, size: int, centre: tuple[float, float], radius: float) -> Mask:
    """Star, petals or gear."""
    theta = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    lobes, sharp = rng.integers(3, 14), rng.uniform(0.5, 2)
    r = rng.uniform(0.3, 0.8) + np.abs(np.cos(lobes * theta / 2)) ** sharp * rng.uniform(0.2, 0.7)
    return _fill(size, _place(rng, np.stack([r * np.cos(theta), r * np.sin(theta)], 1) / r.max(), centre, radius))


def ring(rng: np.random.Generator, size: int, centre: tuple[float, float], radius: float) -> Mask:
    """Annulus or crescent."""
    outer = ellipse(rng, size, centre, radius)
    shift = rng.uniform(-0.4, 0.4, 2) * radius
    hole = (int(centre[0] + shift[0]), int(centre[1] + shift[1]))
    cv2.circle(outer, hole, max(1, int(radius * rng.uniform(0.3, 0.6))), 0, -1)
    return outer


def branching(rng: np.random.Generator, size: int, centre: tuple[float, float], radius: float) -> Mask:
    """A body with limbs: animals, trees, tools."""
    mask = np.zeros((size, size), np.uint8)
    body = rng.uniform(0.2, 0.55) * radius
    aspect = rng.uniform(0.4, 1.0)
    middle = (int(centre[0]), int(centre[1]))
    turn = rng.uniform(0, 360)
    cv2.ellipse(mask, middle, (int(body) + 1, int(body * aspect) + 1), turn, 0, 360, 1, -1)
    downward = rng.uniform() < 0.5  # legs share a direction; branches do not
    for _ in range(int(rng.integers(2, 8))):
        along = rng.uniform(-0.9, 0.9) * body
        point = np.array(centre) + along * np.array([np.cos(np.radians(turn)), np.sin(np.radians(turn))])
        angle = rng.normal(np.pi / 2, 0.35) if downward else rng.uniform(0, 2 * np.pi)
        thick = radius * rng.uniform(0.06, 0.3)
        for _ in range(int(rng.integers(2, 5))):
            step = radius * rng.uniform(0.15, 0.4)
            end = point + step * np.array([np.cos(angle), np.sin(angle)])
            a, b = (int(point[0]), int(point[1])), (int(end[0]), int(end[1]))
            cv2.line(mask, a, b, 1, max(1, int(thick)))
            point, angle, thick = end, angle + rng.normal(0, 0.5), thick * rng.uniform(0.6, 1.0)
    if rng.uniform() < 0.6:  # a head
        theta = rng.uniform(0, 2 * np.pi)
        head = np.array(centre) + body * np.array([np.cos(theta), np.sin(theta)])
        cv2.circle(mask, (int(head[0]), int(head[1])), int(radius * rng.uniform(0.12, 0.3)) + 1, 1, -1)
    if radius > 12:  # melt the parts together
        soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), radius * rng.uniform(0.02, 0.08))
        mask = (soft > 0.5).astype(np.uint8)
    return mask


def island(rng: np.random.Generator, size: int, centre: tuple[float, float], radius: float) -> Mask:
    """Thresholded noise under a bump: rocks, clouds, coasts."""
    y, x = np.ogrid[:size, :size]
    bump = 1 - ((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (radius**2)
    noise = cv2.GaussianBlur(piece(rng, size, size, (0.5, 3.0)), (0, 0), max(1.0, radius * 0.12))
    noise /= noise.std() + 1e-6
    raw = ((bump + rng.uniform(0.15, 0.4) * noise) > 0.35) & (bump > 0)
    count, label, stats, _ = cv2.connectedComponentsWithStats(raw.astype(np.uint8))
    if count < 2:
        return ellipse(rng, size, centre, radius)
    largest: Mask = (label == 1 + np.argmax(stats[1:, cv2.CC_STAT_AREA])).astype(np.uint8)
    return largest


def vessel(rng: np.random.Generator, size: int, centre: tuple[float, float], radius: float) -> Mask:
    """Mirror-symmetric profile: bottles, vases, leaves, fish."""
    t = np.linspace(-1, 1, 24)
    half = np.interp(t, np.linspace(-1, 1, 6), rng.uniform(0.08, 0.6, 6))
    outline = np.concatenate([np.stack([t, half], 1), np.stack([t[::-1], -half[::-1]], 1)])
    return _fill(size, _place(rng, outline, centre, radius))


def strand(rng: np.random.Generator, size: int, centre: tuple[float, float], radius: float) -> Mask:
    """A thin bent line, two to seven pixels wide."""
    count = 16
    angle = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, rng.uniform(0.02, 0.35), count))
    path = np.cumsum(np.stack([np.cos(angle), np.sin(angle)], 1), 0)
    path = (path - path.mean(0)) / (np.abs(path - path.mean(0)).max() + 1e-6) * radius + np.asarray(centre)
    mask = np.zeros((size, size), np.uint8)
    thick = int(np.clip(radius * rng.uniform(0.05, 0.15), 2, 7))
    cv2.polylines(mask, [path.astype(np.int32)], False, 1, thick)
    return mask


def glyph(rng: np.random.Generator, size: int, centre: tuple[float, float], radius: float) -> Mask:
    """One letter-like sign."""
    mask = np.zeros((size, size), np.uint8)
    letter = chr(int(rng.integers(ord("A"), ord("Z") + 1)))
    scale, thick = radius / 12, max(2, int(radius * rng.uniform(0.15, 0.4)))
    font = cv2.FONT_HERSHEY_SIMPLEX
    (w, h), _ = cv2.getTextSize(letter, font, scale, thick)
    cv2.putText(mask, letter, (int(centre[0] - w / 2), int(centre[1] + h / 2)), font, scale, 1, thick)
    return mask


def union(rng: np.random.Generator, size: int, centre: tuple[float, float], radius: float) -> Mask:
    """Two or three simple shapes grown together."""
    mask = np.zeros((size, size), np.uint8)
    for _ in range(int(rng.integers(2, 4))):
        part = (box, ellipse, polygon, vessel)[rng.integers(4)]
        off = rng.uniform(-0.45, 0.45, 2) * radius
        mask |= part(rng, size, (centre[0] + off[0], centre[1] + off[1]), radius * rng.uniform(0.4, 0.75))
    return mask


#: Shapes of the source scenes with their share.
SOURCE: tuple[tuple[Shape, float], ...] = (
    (blob, 0.2), (ellipse, 0.1), (polygon, 0.1), (box, 0.08), (flower, 0.05), (ring, 0.03), (branching, 0.18),
    (island, 0.08), (vessel, 0.07), (strand, 0.03), (glyph, 0.02), (union, 0.06),
)  # fmt: skip


def pick(rng: np.random.Generator, choices: tuple[tuple[Shape, float], ...] = SOURCE) -> Shape:
    """One of the shapes, by share."""
    share = np.array([s for _, s in choices])
    return choices[rng.choice(len(choices), p=share / share.sum())][0]
