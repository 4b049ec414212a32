"""Where predicted masks go: one COCO file, one instance map and one picture an image."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask

from wesam.atomic import replaced_file
from wesam.errors import WesamError
from wesam.evaluation.overlay import Panel, Picture, draw_panels
from wesam.labels.files import mark_as_output
from wesam.masks import Rle
from wesam.types import Instance, Sample

MAX_INSTANCES = 2**16 - 1  # of one image, in a 16-bit map


class PredictionFolder:
    """Writes predictions image by image.

    * `predictions.json`: a COCO data set: "images" (with new numbers as ids, and `file_name`), "categories"
      and "annotations" (`segmentation` as compressed RLE, `bbox`, `area`, `score`, and `label_id`, the id of
      the label that prompted it). It opens in labelling tools, and in this package again as labels. Its
      annotations alone are what `pycocotools` calls results.
    * `instances/NAME.png`: 16-bit, 0 where no object is, k on the k-th object of the image. Where masks
      overlap the smaller one is on top, so that none hides another wholly.
    * `overlays/NAME.png`: the image, and the masks on it.

    NAME is the image's path without its suffix, or with it where two images would share a name.

    Args:
        root: made if absent.
        samples: all images that will be added.
        overlays: whether pictures are drawn.
        overwrite: whether an earlier prediction in the folder is removed.

    Raises:
        WesamError: if the folder cannot be written, or holds an earlier prediction.
    """

    def __init__(self, root: Path, samples: Sequence[Sample], overlays: bool = True, overwrite: bool = False) -> None:
        self.root = root
        self.results = root / "predictions.json"
        self._overlays = overlays
        shared = Counter(_stem(sample.id) for sample in samples)
        self._names = {s.id: _stem(s.id) if shared[_stem(s.id)] == 1 else s.id for s in samples}
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []
        self._categories: dict[str, int] = {}
        if self.results.exists():
            if not overwrite:
                raise WesamError(
                    f"{self.results}: expected a new folder, got one with predictions that may hold corrections; "
                    f"overwrite replaces them"
                )
            for pictures in ("instances", "overlays"):
                shutil.rmtree(root / pictures, ignore_errors=True)
            self.results.unlink()
        self._make(root)
        mark_as_output(root)

    def add(self, sample: Sample, image: Picture, masks: Sequence[Rle], scores: Sequence[float]) -> None:
        """Writes the two PNGs of one image and remembers its part of the JSON.

        Args:
            sample: the image, whose instances are the prompts.
            image: (H, W, 3) uint8 RGB.
            masks, scores: one an instance, in the order of the instances.

        Raises:
            WesamError: if the image has more than 65,535 instances, or a file cannot be written.
        """
        image_id = len(self._images) + 1
        self._images.append({"id": image_id, "file_name": sample.id, "width": sample.width, "height": sample.height})
        for instance, rle, score in zip(sample.instances, masks, scores, strict=True):
            self._annotations.append(self._annotation(image_id, instance, rle, score))
        self._write_png(Path("instances") / f"{self._names[sample.id]}.png", instance_map(sample, masks))
        if self._overlays:
            drawn = Panel("masks", masks={i.id: rle for i, rle in zip(sample.instances, masks, strict=True)})
            self._write_png(
                Path("overlays") / f"{self._names[sample.id]}.png",
                draw_panels(image, [Panel("image"), drawn]),
            )

    def finish(self) -> None:
        """Writes `predictions.json`, whole or not at all."""
        content = {
            "images": self._images,
            "categories": [{"id": number, "name": name} for name, number in self._categories.items()],
            "annotations": self._annotations,
        }
        with _writing("file", self.results), replaced_file(self.results) as partial:
            partial.write_text(json.dumps(content) + "\n", encoding="utf-8")

    def _annotation(self, image_id: int, instance: Instance, rle: Rle, score: float) -> dict[str, Any]:
        category = self._categories.setdefault(instance.category or "object", len(self._categories) + 1)
        return {
            "id": len(self._annotations) + 1,
            "image_id": image_id,
            "category_id": category,
            "segmentation": {"size": list(rle["size"]), "counts": rle["counts"].decode("ascii")},
            "bbox": [float(edge) for edge in coco_mask.toBbox(rle)],
            "area": int(coco_mask.area(rle)),
            "iscrowd": 0,
            "score": score,
            "label_id": instance.id,
        }

    def _write_png(self, name: Path, pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
        path = self.root / name
        self._make(path.parent)
        with _writing("file", path):
            Image.fromarray(pixels).save(path)

    @staticmethod
    def _make(folder: Path) -> None:
        with _writing("folder", folder):
            folder.mkdir(parents=True, exist_ok=True)


@contextmanager
def _writing(kind: str, path: Path) -> Iterator[None]:
    """Within it, a file or folder that cannot be written is the user's mistake, and is named."""
    try:
        yield
    except OSError as error:
        raise WesamError(f"{path}: expected a {kind} that can be written, got: {error}") from error


def instance_map(sample: Sample, masks: Sequence[Rle]) -> NDArray[np.uint16]:
    """(H, W) uint16: k on the k-th mask (from 1), 0 elsewhere; the smaller of two overlapping masks wins.

    Raises:
        WesamError: if there are more than 65,535 masks.
    """
    if len(masks) > MAX_INSTANCES:
        raise WesamError(f"{sample.id}: expected at most {MAX_INSTANCES} instances in a 16-bit map, got {len(masks)}")
    pixels = np.zeros((sample.height, sample.width), dtype=np.uint16)
    areas = [int(coco_mask.area(rle)) for rle in masks]
    for index in sorted(range(len(masks)), key=lambda i: -areas[i]):
        x0, y0, width, height = (int(edge) for edge in coco_mask.toBbox(masks[index]))
        window = slice(y0, y0 + height), slice(x0, x0 + width)
        pixels[window][coco_mask.decode(masks[index])[window].astype(bool)] = index + 1
    return pixels


def _stem(sample_id: str) -> str:
    return str(PurePosixPath(sample_id).with_suffix(""))
