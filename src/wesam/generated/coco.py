"""Write scenes as a COCO pack, the layout a user's own data has.

OUT/images/FAMILY_00000.png
OUT/weak_train.json         boxes alone: what adaptation may see
OUT/instances_train.json    masks of the same images: for the supervised upper bound alone
OUT/instances_test.json     masks of other images: for scoring alone
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image
from pycocotools import mask as coco_mask

from wesam.atomic import naming, replaced_file
from wesam.errors import WesamError
from wesam.generated.canvas import Scene
from wesam.generated.scenes import FAMILIES, generate

Split = Literal["train", "test"]
#: Index of the first scene of each split: the two never share a scene of one seed.
_FIRST: dict[Split, int] = {"train": 0, "test": 1_000_000}
#: The first scenes of the source's own painter are what the bundled model has learnt, masks and all (seed 0). Images to
#: adapt to begin behind them, also where they are corrupted.
_FIRST_UNLEARNT = 2_000_000


def write_coco(
    family: str,
    out_dir: Path,
    count: int,
    seed: int = 0,
    *,
    split: Split = "train",
    weak: bool = True,
    size: int = 256,
) -> list[Path]:
    """Draw `count` scenes of a family into a COCO pack.

    Args:
        family: name of the family.
        out_dir: folder of the pack; both splits may share it.
        count: number of images.
        seed: of the data set; the two splits of one seed share no scene, and neither has one that the bundled model was
            trained on.
        split: "train" or "test".
        weak: also write `weak_train.json`, the boxes without masks; only for "train".
        size: side of the images, pixels.
    Returns:
        the annotation files written.
    Raises:
        WesamError: if the family or split is unknown, `count` is not positive, or the folder has such a split.
    """
    if split not in _FIRST:
        raise WesamError(f"split: expected train or test, got {split!r}")
    if count < 1:
        raise WesamError(f"count: expected at least 1, got {count}")
    learnt = split == "train" and FAMILIES.get(family) is FAMILIES["source"]
    first = _FIRST_UNLEARNT if learnt else _FIRST[split]
    written = [out_dir / f"instances_{split}.json"]
    if written[0].exists():
        raise WesamError(f"{written[0]}: expected a folder without a {split} split, got one that has it")
    folder = out_dir / "images"
    folder.mkdir(parents=True, exist_ok=True)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for i in range(count):
        scene = generate(family, seed, first + i, size)
        name = f"{family}_{split}_{i:05d}.png"
        with naming(folder / name):
            Image.fromarray(scene.image).save(folder / name)
        images.append({"id": i + 1, "file_name": name, "width": size, "height": size})
        annotations += _annotations(scene, i + 1, len(annotations) + 1)
    _write(written[0], family, images, annotations)
    if weak and split == "train":
        boxes = [{k: v for k, v in a.items() if k not in ("segmentation", "area")} for a in annotations]
        written.append(out_dir / "weak_train.json")
        _write(written[1], family, images, boxes)
    return written


def _annotations(scene: Scene, image_id: int, first: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for mask in scene.masks:
        rle = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
        found.append(
            {
                "id": first + len(found),
                "image_id": image_id,
                "category_id": 1,
                "iscrowd": 0,
                "bbox": [int(v) for v in coco_mask.toBbox(rle)],
                "area": int(mask.sum()),
                "segmentation": {"size": list(rle["size"]), "counts": rle["counts"].decode()},
            }
        )
    return found


def _write(path: Path, family: str, images: list[dict[str, Any]], annotations: list[dict[str, Any]]) -> None:
    categories = [{"id": 1, "name": family}]
    content = {"categories": categories, "images": images, "annotations": annotations}
    with replaced_file(path) as partial:
        partial.write_text(json.dumps(content), encoding="utf-8")
