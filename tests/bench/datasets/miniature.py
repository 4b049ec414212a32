"""Data sets in miniature: the layout and the oddities of the real ones, a few small images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

WIDTH, HEIGHT = 48, 40


def photo(path: Path, seed: int, size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
    """Noise, so that no two seeds give the same pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(noise).save(path)


def numbered(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    """(HEIGHT, WIDTH) uint8 with a filled box an object, from 1 on."""
    values = np.zeros((HEIGHT, WIDTH), np.uint8)
    for number, (x0, y0, x1, y1) in enumerate(boxes, start=1):
        values[y0:y1, x0:x1] = number
    return values


def save(path: Path, values: np.ndarray, mode: str | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(values)
    if mode == "P":
        image = image.convert("P") if image.mode != "P" else image
        image.putdata(values.ravel().tolist())
        image.putpalette([(37 * value) % 256 for value in range(768)])
    elif mode is not None:
        image = image.convert(mode)
    image.save(path)


def grey_edged(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    """White boxes with a rim of greys inside (200) and outside (60), as resizing leaves them."""
    values = np.zeros((HEIGHT, WIDTH), np.uint8)
    for x0, y0, x1, y1 in boxes:
        values[y0 - 1 : y1 + 1, x0 - 1 : x1 + 1] = 60
        values[y0:y1, x0:x1] = 200
        values[y0 + 1 : y1 - 1, x0 + 1 : x1 - 1] = 255
    return values


def coco(root: Path, folder: str = "val2017", count: int = 8) -> None:
    """Ids that are not in order, an image without an object, and a crowd."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number in reversed(range(1, count + 1)):
        name = f"{number:012d}.jpg"
        photo(root / folder / name, number)
        images.append({"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT})
        if number == 3:
            continue
        for place, box in enumerate([(4, 5, 14, 20), (20, 8, 40, 30)]):
            rle = coco_mask.encode(np.asfortranarray(numbered(box)))
            annotations.append(
                {
                    "id": 10 * number + place,
                    "image_id": number,
                    "category_id": 1,
                    "iscrowd": int(number == 1 and place == 1),
                    "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]],
                    "segmentation": {"size": rle["size"], "counts": rle["counts"].decode()},
                }
            )
    labels = root / "annotations" / "instances_val2017.json"
    labels.parent.mkdir(parents=True, exist_ok=True)
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "thing"}]}
    labels.write_text(json.dumps(content))
