"""Target family *medical*: three looks a photograph never has.

* *smear*: clumps of stained white cells whose pale bodies touch: the nucleus is far stronger than the outline; red
  cells that nobody asked for;
* *ultrasound*: lesions that differ from their surroundings in the mean of a coarse, full speckle alone; fading depth;
* *endoscopy*: polyps little paler or darker than the mottled mucosa, wet highlights, a dark vignette.
"""

from __future__ import annotations

import cv2
import numpy as np

from wesam.generated import shapes
from wesam.generated.canvas import Canvas, Float
from wesam.generated.textures import piece, smooth_field, spectral_noise


def _rgb(rng: np.random.Generator, red: float, green: float, blue: float, spread: float = 0.04) -> Float:
    return np.asarray(np.clip(np.array([red, green, blue]) + rng.normal(0, spread, 3), 0, 1), np.float32)


def smear(rng: np.random.Generator, canvas: Canvas) -> None:
    """Blood smear: each white cell, nucleus and body together, is an instance."""
    s = canvas.size
    canvas.image[:] = _rgb(rng, 0.93, 0.88, 0.90) + 0.02 * smooth_field(rng, s, s, 5)[..., None]
    radius = s * rng.uniform(0.045, 0.065)
    _red_cells(rng, canvas, _rgb(rng, 0.85, 0.62, 0.66), radius)
    body, stain = _rgb(rng, 0.78, 0.70, 0.86), _rgb(rng, 0.42, 0.22, 0.58)
    found: list[tuple[float, float]] = []
    for _ in range(int(rng.integers(4, 11))):
        reach = radius * rng.uniform(1.8, 3.0)
        centre = (float(rng.uniform(0.05, 0.95) * s), float(rng.uniform(0.05, 0.95) * s))
        if found and rng.uniform() < 0.6:  # clumped: a neighbour that touches
            near, turn = found[rng.integers(len(found))], rng.uniform(0, 2 * np.pi)
            centre = (near[0] + 1.3 * reach * float(np.cos(turn)), near[1] + 1.3 * reach * float(np.sin(turn)))
        mask = shapes.pick(rng, ((shapes.blob, 0.2), (shapes.island, 0.3), (shapes.branching, 0.5)))(
            rng, s, centre, reach
        )
        if (mask & (canvas.labels > 0)).sum() > 0.3 * mask.sum():
            continue
        cell = canvas.paint(rng, mask, body, strength=0.4, soft=0.8, opacity=rng.uniform(0.3, 0.55))
        if cell:
            found.append(centre)
            _nucleus(rng, canvas, mask, centre, reach, stain)


def _red_cells(rng: np.random.Generator, canvas: Canvas, colour: Float, radius: float) -> None:
    """Discs with a pale middle; clutter, so they have no label."""
    s = canvas.size
    discs = np.zeros((s, s), np.float32)
    for _ in range(int(rng.integers(25, 60))):
        centre = tuple(int(v) for v in rng.uniform(0, s, 2))
        axes = tuple(int(radius * v) for v in rng.uniform(0.8, 1.1, 2))
        cv2.ellipse(discs, centre, axes, rng.uniform(0, 180), 0, 360, rng.uniform(0.7, 1), -1)
        cv2.circle(discs, centre, max(1, int(radius * 0.4)), 0.55, -1)
    alpha = 0.85 * cv2.GaussianBlur(discs, (0, 0), radius * 0.12)[..., None]
    canvas.image[:] = canvas.image * (1 - alpha) + alpha * colour


def _nucleus(
    rng: np.random.Generator,
    canvas: Canvas,
    cell: shapes.Mask,
    centre: tuple[float, float],
    reach: float,
    stain: Float,
) -> None:
    """One to four dark lobes inside the cell; part of it, not an instance of its own."""
    lobes = np.zeros_like(cell)
    for _ in range(int(rng.integers(1, 5))):
        off = rng.uniform(-0.4, 0.4, 2) * reach
        place = (centre[0] + off[0], centre[1] + off[1])
        lobes |= shapes.blob(rng, canvas.size, place, reach * rng.uniform(0.3, 0.55))
    lobes &= cell
    alpha = 0.9 * cv2.GaussianBlur(lobes.astype(np.float32), (0, 0), 1.0)[..., None]
    chromatin = stain * (1 + 0.15 * piece(rng, canvas.size, canvas.size)[..., None])
    canvas.image[:] = canvas.image * (1 - alpha) + alpha * chromatin


def ultrasound(rng: np.random.Generator, canvas: Canvas) -> None:
    """Lesions under speckle; everything is grey."""
    s = canvas.size
    tissue = 0.35 + 0.07 * cv2.resize(spectral_noise(rng, 64, 1.6, stretch=0.4), (s, s))
    for _ in range(int(rng.integers(1, 4))):  # bright layers across the beam
        depth, bend = rng.uniform(0.1, 0.9), smooth_field(rng, s, s, 4) * 0.06
        y = np.arange(s, dtype=np.float32)[:, None] / s
        tissue = tissue + rng.uniform(0.1, 0.3) * np.exp(-(((y + bend - depth) / 0.02) ** 2))
    canvas.image[:] = tissue[..., None]
    for _ in range(int(rng.integers(1, 4))):
        centre = (float(rng.uniform(0.15, 0.85) * s), float(rng.uniform(0.15, 0.85) * s))
        radius = s * rng.uniform(0.07, 0.24)
        mask = shapes.pick(
            rng, ((shapes.blob, 0.2), (shapes.island, 0.3), (shapes.vessel, 0.25), (shapes.branching, 0.25))
        )(rng, s, centre, radius)
        if (mask & (canvas.labels > 0)).any():
            continue
        x, _, w, _ = cv2.boundingRect(mask)
        canvas.image[int(centre[1]) :, x : x + w] *= rng.uniform(1.0, 1.3)  # more echo behind a cyst
        tone = np.full(3, rng.uniform(0.03, 0.15), np.float32)
        canvas.paint(rng, mask, tone, strength=0.1, soft=rng.uniform(1.0, 2.5), opacity=rng.uniform(0.65, 0.9))
    grey = canvas.image[..., 0]
    grain = [cv2.GaussianBlur(rng.standard_normal((s, s), np.float32), (0, 0), 2.4, sigmaY=1.2) for _ in range(2)]
    speckle = np.hypot(*grain)
    fade = np.linspace(rng.uniform(1.0, 1.4), rng.uniform(0.3, 0.8), s, dtype=np.float32)[:, None]
    canvas.image[:] = (np.clip(grey, 0.02, 1) * (0.1 + 0.9 * speckle / speckle.mean()) * fade)[..., None]


def endoscopy(rng: np.random.Generator, canvas: Canvas) -> None:
    """One to three polyps on mucosa."""
    s = canvas.size
    mucosa = _rgb(rng, 0.72, 0.36, 0.28)
    light = 1 + 0.25 * smooth_field(rng, s, s, 4) + 0.07 * cv2.resize(spectral_noise(rng, 128, 0.9), (s, s))
    canvas.image[:] = mucosa * light[..., None]
    for _ in range(int(rng.integers(1, 5))):  # folds and vessels
        strand = shapes.strand(rng, s, (float(rng.uniform(0, s)), float(rng.uniform(0, s))), s * rng.uniform(0.2, 0.7))
        dark = cv2.GaussianBlur(strand.astype(np.float32), (0, 0), rng.uniform(1, 6))
        canvas.image *= (1 - rng.uniform(0.2, 0.5) * dark / (dark.max() + 1e-6))[..., None]
    for _ in range(int(rng.integers(1, 4))):
        centre = (float(rng.uniform(0.25, 0.75) * s), float(rng.uniform(0.25, 0.75) * s))
        mask = shapes.pick(
            rng, ((shapes.blob, 0.2), (shapes.union, 0.3), (shapes.island, 0.25), (shapes.branching, 0.25))
        )(rng, s, centre, s * rng.uniform(0.08, 0.24))
        if (mask & (canvas.labels > 0)).any():
            continue
        paler = rng.uniform(1.08, 1.2) if rng.uniform() < 0.5 else rng.uniform(0.82, 0.92)  # or darker
        tone = mucosa * paler + rng.normal(0, 0.02, 3).astype(np.float32)
        soft = rng.uniform(0.8, 2.0)
        canvas.paint(
            rng, mask, tone, strength=0.5, shading=rng.uniform(0.15, 0.3), soft=soft, opacity=rng.uniform(0.7, 0.95)
        )
    for _ in range(int(rng.integers(8, 20))):  # wet highlights, on and off the polyps
        spot = shapes.blob(rng, s, (float(rng.uniform(0, s)), float(rng.uniform(0, s))), s * rng.uniform(0.008, 0.04))
        shine = cv2.GaussianBlur(spot.astype(np.float32), (0, 0), 0.8)[..., None]
        canvas.image[:] = canvas.image * (1 - shine) + shine * 0.97
    y, x = np.mgrid[:s, :s].astype(np.float32) / s - 0.5
    canvas.image *= np.clip(1.25 - 1.6 * (x**2 + y**2) ** 0.75 * rng.uniform(0.7, 1.3), 0, 1)[..., None]


def medical(rng: np.random.Generator, canvas: Canvas) -> None:
    """One of the three looks."""
    (smear, ultrasound, endoscopy)[rng.integers(3)](rng, canvas)
