"""Target family *camouflaged*: an animal that wears its background.

Object and ground share colours and texture; only the texture's place, a trace of relief and a trace of tone
tell them apart.
"""

from __future__ import annotations

import cv2
import numpy as np

from wesam.generated import shapes
from wesam.generated.canvas import Canvas
from wesam.generated.textures import bank, random_colour, smooth_field

_ANIMALS = ((shapes.branching, 0.5), (shapes.blob, 0.25), (shapes.vessel, 0.15), (shapes.island, 0.1))


def camouflaged(rng: np.random.Generator, canvas: Canvas) -> None:
    """One to three hidden objects."""
    s = canvas.size
    tiles = bank()
    tile = tiles[rng.integers(len(tiles))]
    zoom = np.exp(rng.uniform(np.log(0.6), np.log(1.6)))
    colours = random_colour(rng), random_colour(rng)

    def surface(turn: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        c, n = np.cos(turn) / zoom, np.sin(turn) / zoom
        shift = rng.uniform(0, 200, 2)
        warp = np.array([[c, -n, shift[0]], [n, c, shift[1]]], np.float32)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        tone = cv2.warpAffine(tile, warp, (s, s), flags=flags, borderMode=cv2.BORDER_REFLECT)
        blend = 1 / (1 + np.exp(-1.5 * tone))[..., None]
        return np.asarray(colours[0] * blend + colours[1] * (1 - blend), np.float32)

    turn = rng.uniform(0, 2 * np.pi)
    light = (1 + 0.12 * smooth_field(rng, s, s))[..., None]
    canvas.image[:] = surface(turn)
    for _ in range(int(rng.integers(1, 4))):
        centre = (float(rng.uniform(0.2, 0.8) * s), float(rng.uniform(0.2, 0.8) * s))
        mask = shapes.pick(rng, _ANIMALS)(rng, s, centre, s * rng.uniform(0.12, 0.32))
        if (mask & (canvas.labels > 0)).any():
            continue
        ground = canvas.image.copy()
        mean = ground[mask > 0].mean(0) if mask.any() else ground.mean((0, 1))
        # painted for its labels and relief, then re-covered with the ground's own texture
        if not canvas.paint(rng, mask, mean, strength=0.0, shading=0.5, soft=0.7):
            continue
        relief = canvas.image / np.maximum(mean, 0.05)
        skin = surface(turn + rng.normal(0, 0.4)) * (1 + rng.uniform(-0.15, 0.15))
        alpha = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.7)[..., None]
        worn = skin * (1 + 0.5 * (np.clip(relief, 0.5, 1.5) - 1))
        canvas.image[:] = ground * (1 - alpha) + worn * alpha
    canvas.image *= light
