"""Large pictures with many objects, for the benchmarks of time and memory."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Ellipse:
    """A bright object of 20 to 300 pixels."""

    centre: tuple[int, int]
    axes: tuple[int, int]
    angle: int
    colour: tuple[int, int, int]

    def draw(self, canvas: np.ndarray, value: int | tuple[int, int, int]) -> None:
        """Fills its pixels in (H, W) or (H, W, 3) uint8, in place."""
        cv2.ellipse(canvas, self.centre, self.axes, self.angle, 0, 360, value, cv2.FILLED)


def random_ellipses(width: int, height: int, count: int, rng: np.random.Generator) -> list[Ellipse]:
    """As many as that anywhere in an image; they may overlap."""
    return [
        Ellipse(
            centre=(int(rng.integers(width)), int(rng.integers(height))),
            axes=(int(rng.integers(10, 150)), int(rng.integers(10, 150))),
            angle=int(rng.integers(180)),
            colour=tuple(int(value) for value in rng.integers(120, 255, 3)),
        )
        for _ in range(count)
    ]


def picture(width: int, height: int, ellipses: list[Ellipse], rng: np.random.Generator) -> np.ndarray:
    """(height, width, 3) uint8: the ellipses on noise."""
    image = rng.integers(40, 90, (height, width, 3), dtype=np.uint8)
    for ellipse in ellipses:
        ellipse.draw(image, ellipse.colour)
    return image
