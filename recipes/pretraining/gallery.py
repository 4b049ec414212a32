"""A picture of every family, to judge with one's own eyes: would a person find the objects?

python -m recipes.pretraining.gallery families.jpg
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from wesam.generated.scenes import FAMILIES, generate


def gallery(families: list[str], columns: int = 6, seed: int = 0, tile: int = 120) -> NDArray[np.uint8]:
    """Two rows a family, the pictures and the same with their objects outlined, (H, W, 3) uint8 RGB."""
    rows = []
    for family in families:
        scenes = [generate(family, seed, index) for index in range(columns)]
        outlined = [outline(scene.image, scene.masks) for scene in scenes]
        for images in ([scene.image for scene in scenes], outlined):
            small = [cv2.resize(image, (tile, tile), interpolation=cv2.INTER_AREA) for image in images]
            rows.append(np.hstack(small))
    return np.asarray(np.vstack(rows), np.uint8)


def outline(image: NDArray[np.uint8], masks: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The image with a coloured line around each mask, (H, W, 3) uint8 RGB.

    Args:
        image: (H, W, 3) uint8 RGB.
        masks: (N, H, W).
    """
    drawn = image.copy()
    colours = np.random.default_rng(0).integers(80, 256, (len(masks), 3))
    for mask, colour in zip(masks, colours.tolist(), strict=True):
        lines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, lines, -1, colour, 2)
    return drawn


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Picture the families of synthetic scenes.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--families", nargs="*", default=list(FAMILIES))
    options = parser.parse_args()
    cv2.imwrite(str(options.out), gallery(options.families)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 75])


if __name__ == "__main__":
    main()
