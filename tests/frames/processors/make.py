"""Writes what transformers' own image processors of SAM 2 and SAM 3 give. They need torchvision.

In an environment of its own: `pip install torch torchvision transformers pillow numpy`, then `python make.py`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

SIZE, GRID, STEP = 64, 16, 9
SHAPES = [(40, 64), (97, 31), (150, 201)]


def image(height: int, width: int) -> np.ndarray:
    """Smooth, with some noise: nothing that a generator of random numbers could draw otherwise elsewhere."""
    y, x = np.mgrid[:height, :width]
    return np.stack([(7 * x + 3 * y) % 256, (x * y) % 251, (200 * y) // height], -1).astype(np.uint8)


def logits() -> np.ndarray:
    y, x = np.mgrid[:GRID, :GRID]
    return np.sin(x / 2.1 + 0.3) * np.cos(y / 3.3).astype(np.float64)


def main() -> None:
    from transformers import Sam2ImageProcessor, Sam3ImageProcessor

    values = {}
    for name, processor in (("sam2", Sam2ImageProcessor), ("sam3", Sam3ImageProcessor)):
        made = processor(size={"height": SIZE, "width": SIZE}, mask_size={"height": GRID, "width": GRID})
        for shape in SHAPES:
            pixels = made(image(*shape), return_tensors="pt")["pixel_values"][0].double()
            masks = made.post_process_masks([torch.from_numpy(logits()).float()[None, None]], [shape], binarize=False)
            values[f"{name} {shape[0]}x{shape[1]}"] = {
                "pixels": pixels[:, ::STEP, ::STEP].round(decimals=5).tolist(),
                "logits": masks[0][0, 0, ::STEP, ::STEP].double().round(decimals=5).tolist(),
            }
    Path(__file__).with_name("values.json").write_text(json.dumps(values) + "\n")


if __name__ == "__main__":
    main()
