"""A small labelled image set on disk, as a user would have it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask


@dataclass(frozen=True)
class ImageSet:
    images: Path
    boxes: Path  # COCO with boxes alone
    masks: Path  # the same objects with segmentations


def make_image_set(root: Path) -> ImageSet:
    """Six images of two or three bright ellipses each, 64 x 48 pixels, in an existing folder."""
    (root / "images").mkdir()
    rng = np.random.default_rng(0)
    images, with_boxes, with_masks = [], [], []
    for image_id in range(1, 7):
        picture = rng.integers(0, 60, (48, 64, 3), dtype=np.uint8)
        for _ in range(2 + image_id % 2):
            mask = np.zeros((48, 64), np.uint8)
            centre = (int(rng.integers(14, 50)), int(rng.integers(12, 36)))
            cv2.ellipse(mask, centre, (int(rng.integers(6, 12)), int(rng.integers(5, 10))), 0, 0, 360, 1, -1)
            picture[mask > 0] = rng.integers(120, 255, 3)
            ys, xs = mask.nonzero()
            box = [int(xs.min()), int(ys.min()), int(np.ptp(xs)) + 1, int(np.ptp(ys)) + 1]
            entry = {
                "id": len(with_boxes) + 1,
                "image_id": image_id,
                "category_id": 1,
                "iscrowd": 0,
                "bbox": box,
            }
            rle = coco_mask.encode(np.asfortranarray(mask))
            with_boxes.append(entry)
            with_masks.append(
                {
                    **entry,
                    "segmentation": {"size": [48, 64], "counts": rle["counts"].decode()},
                    "area": int(mask.sum()),
                }
            )
        name = f"{image_id}.png"
        Image.fromarray(picture).save(root / "images" / name)
        images.append({"id": image_id, "file_name": name, "width": 64, "height": 48})
    header = {"images": images, "categories": [{"id": 1, "name": "blob"}]}
    (root / "boxes.json").write_text(json.dumps({**header, "annotations": with_boxes}))
    (root / "masks.json").write_text(json.dumps({**header, "annotations": with_masks}))
    return ImageSet(root / "images", root / "boxes.json", root / "masks.json")
