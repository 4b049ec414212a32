"""Procedural textures: a fixed bank of grey tiles, warped and coloured into materials.

Drawing noise spectra or Voronoi cells afresh for every object would cost most of the time of a
scene, so a bank of tiles is drawn once per process from a constant seed and every object takes a
randomly turned, scaled and shifted piece of it.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
_TILE = 256
_BANK_SEED = 20240617


def _standardise(tile: Float) -> Float:
    """Zero mean, unit deviation, clipped at 2.5 deviations."""
    tile = (tile - tile.mean()) / (tile.std() + 1e-6)
    return np.clip(tile, -2.5, 2.5).astype(np.float32)


def spectral_noise(rng: np.random.Generator, size: int, slope: float, stretch: float = 1.0) -> Float:
    """Noise whose amplitude falls as 1 / f**slope, (size, size); stretch > 1 draws it out along x."""
    fy, fx = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]
    radius = np.sqrt((fx * stretch) ** 2 + fy**2)
    radius[0, 0] = np.inf
    phase = rng.uniform(0, 2 * np.pi, radius.shape)
    return _standardise(np.fft.irfft2(radius**-slope * np.exp(1j * phase), s=(size, size)).astype(np.float32))


def _voronoi(rng: np.random.Generator, cells: int, edges: bool) -> Float:
    points = rng.uniform(0, _TILE, (cells, 2)).astype(np.float32)
    seeds = np.full((_TILE, _TILE), 255, np.uint8)
    seeds[points[:, 1].astype(int), points[:, 0].astype(int)] = 0
    distance, label = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    if edges:
        return _standardise(cv2.GaussianBlur(distance, (0, 0), 1))
    tone = rng.normal(size=label.max() + 1).astype(np.float32)
    return _standardise(tone[label])


def _stripes(rng: np.random.Generator, hard: bool) -> Float:
    y = np.arange(_TILE, dtype=np.float32)[:, None]
    wobble = rng.uniform(2, 18) * spectral_noise(rng, _TILE, 2.0)
    wave = np.sin((y + wobble) * 2 * np.pi / rng.uniform(8, 40))
    return _standardise(np.tanh(6 * wave) if hard else wave)


def _spots(rng: np.random.Generator) -> Float:
    scale = rng.uniform(2, 7)
    noise = rng.normal(size=(_TILE, _TILE)).astype(np.float32)
    band = cv2.GaussianBlur(noise, (0, 0), scale) - cv2.GaussianBlur(noise, (0, 0), scale * 2)
    return _standardise(np.tanh(3 * _standardise(band) - rng.uniform(-1.5, 1.5)))


def _fur(rng: np.random.Generator) -> Float:
    noise = rng.normal(size=(_TILE, _TILE)).astype(np.float32)
    return _standardise(cv2.GaussianBlur(noise, (0, 0), sigmaX=rng.uniform(4, 14), sigmaY=rng.uniform(0.5, 1.2)))


def _wood(rng: np.random.Generator) -> Float:
    rings = spectral_noise(rng, _TILE, 2.0, stretch=8.0)
    return _standardise(np.sin(rings * rng.uniform(4, 12)) + 0.4 * _fur(rng))


def _speckle(rng: np.random.Generator) -> Float:
    grain = rng.normal(size=(2, _TILE, _TILE)).astype(np.float32)
    real, imag = (cv2.GaussianBlur(g, (0, 0), rng.uniform(0.7, 2.5)) for g in grain)
    return _standardise(np.hypot(real, imag))


def _weave(rng: np.random.Generator) -> Float:
    y, x = np.mgrid[:_TILE, :_TILE].astype(np.float32)
    py, px = rng.uniform(8, 40, 2)
    bond = (y // py % 2) * px / 2
    return _standardise(
        ((y % py < py * 0.15) | ((x + bond) % px < px * 0.15)).astype(np.float32)
        + 0.3 * spectral_noise(rng, _TILE, 1.0)
    )


def _foliage(rng: np.random.Generator) -> Float:
    """A small dead-leaves picture: the statistics of grass, gravel and leaves."""
    tile = np.zeros((_TILE, _TILE), np.float32)
    biggest, long = rng.uniform(4, 14), rng.uniform(1, 4)
    for _ in range(1800):
        radius = max(1.0, biggest * rng.uniform(0.05, 1) ** 1.5)
        centre = tuple(int(v) for v in rng.integers(0, _TILE, 2))
        axes = (int(radius * long) + 1, int(radius) + 1)
        cv2.ellipse(tile, centre, axes, rng.uniform(0, 180), 0, 360, float(rng.normal()), -1)
    return _standardise(tile)


@cache
def bank() -> Float:
    """The tiles, (T, 256, 256), zero mean and unit deviation each."""
    rng = np.random.default_rng(_BANK_SEED)
    tiles = [spectral_noise(rng, _TILE, slope) for slope in (0.3, 0.6, 0.9, 1.0, 1.2, 1.4, 1.6, 2.0, 2.4)]
    tiles += [spectral_noise(rng, _TILE, slope, stretch) for slope in (0.8, 1.2, 1.6) for stretch in (3.0, 8.0)]
    tiles += [_voronoi(rng, cells, edges) for cells in (40, 150, 600) for edges in (False, True)]
    tiles += [_stripes(rng, hard) for hard in (False, True) for _ in range(4)]
    for draw in (_spots, _fur, _wood, _speckle, _weave, _foliage):
        tiles += [draw(rng) for _ in range(4)]
    return np.stack(tiles)


def piece(rng: np.random.Generator, height: int, width: int, zoom: tuple[float, float] = (0.4, 2.5)) -> Float:
    """A randomly turned and scaled piece of a random tile, (height, width), about unit deviation."""
    tiles = bank()
    tile = tiles[rng.integers(len(tiles))]
    angle = rng.uniform(0, 2 * np.pi)
    scale = np.exp(rng.uniform(np.log(zoom[0]), np.log(zoom[1])))
    c, s = np.cos(angle) / scale, np.sin(angle) / scale
    shift = rng.uniform(0, _TILE, 2)
    warp = np.array([[c, -s, shift[0]], [s, c, shift[1]]], np.float32)
    return cv2.warpAffine(  # type: ignore[no-any-return]
        tile,
        warp,
        (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT,
    )


def smooth_field(rng: np.random.Generator, height: int, width: int, knots: int = 4) -> Float:
    """A slowly varying field, (height, width), roughly in [-1, 1]."""
    grid = rng.uniform(-1, 1, (knots, knots)).astype(np.float32)
    return np.asarray(cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def random_colour(rng: np.random.Generator) -> Float:
    """An RGB colour in [0, 1], (3,); muted colours are commoner than pure ones, as in photographs."""
    hue, saturation, value = rng.uniform(0, 180), rng.beta(1.4, 2.4), rng.uniform(0.08, 0.97)
    pixel = np.array([[[hue, saturation * 255, value * 255]]], np.uint8)
    return np.asarray(cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0].astype(np.float32) / 255, np.float32)


def material(rng: np.random.Generator, height: int, width: int, base: Float, strength: float = 1.0) -> Float:
    """A coloured surface around a base colour, (height, width, 3), not clipped.

    Args:
        base: RGB in [0, 1], (3,).
        strength: factor on all variation; 0 gives the flat colour.
    """
    out = np.broadcast_to(base, (height, width, 3)).astype(np.float32)
    kind = rng.uniform()
    if kind < 0.15:  # nearly flat paint
        return out + (0.02 * strength) * piece(rng, height, width)[..., None]
    tone = piece(rng, height, width)
    if kind < 0.35:  # two colours: stripes, patches, marble
        other = 0.5 * base + 0.5 * random_colour(rng) if rng.uniform() < 0.6 else random_colour(rng)
        blend = 1 / (1 + np.exp(-rng.uniform(1, 6) * (tone - rng.uniform(-1, 1))))
        out = out + (blend * rng.uniform(0.3, 1.0) * strength)[..., None] * (other - base)
        tone = piece(rng, height, width)
    amplitude = strength * rng.uniform(0.02, 0.16)
    direction = np.ones(3, np.float32) + rng.normal(0, 0.25, 3).astype(np.float32)
    out = out + amplitude * tone[..., None] * direction
    if rng.uniform() < 0.5:
        hue = rng.normal(0, 0.06, 3).astype(np.float32) * strength
        out = out + smooth_field(rng, height, width)[..., None] * (hue + rng.normal(0, 0.06) * strength)
    return out
