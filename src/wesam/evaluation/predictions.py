"""Where predicted masks go: one COCO file, one instance map and one picture an image."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask

from wesam.atomic import replaced_file, replaced_folder
from wesam.errors import WesamError
from wesam.evaluation.overlay import Panel, Picture, draw_panels
from wesam.labels.files import OUTPUT_MARK, mark_as_output
from wesam.labels.write_coco import score_within
from wesam.masks import Rle
from wesam.strict_json import dumps
from wesam.types import Instance, Sample

MAX_INSTANCES = 2**16 - 1  # of one image, in a 16-bit map
RESULTS, INSTANCES, OVERLAYS = "predictions.json", "instances", "overlays"


@contextmanager
def prediction_folder(
    root: Path, samples: Sequence[Sample], overlays: bool = True, overwrite: bool = False
) -> Iterator[PredictionFolder]:
    """Opens a folder for predictions. An earlier one gives way only when the block ends well and the new one is whole;
    where there is none, each picture is in place at once, so that an error late in a long run loses none of them.

    Args:
        root: made if absent. It may hold other files, such as the images themselves.
        samples: all images that will be added.
        overlays: whether pictures are drawn.
        overwrite: whether an earlier prediction in the folder gives way to this one.

    Raises:
        WesamError: if the folder cannot be written, holds an earlier prediction, or holds a folder that would have to
            give way and is of no prediction; or if an image has more than 65,535 instances.
    """
    _check_room(root, overwrite)
    for sample in samples:
        if len(sample.instances) > MAX_INSTANCES:
            raise WesamError(
                f"{sample.id}: expected at most {MAX_INSTANCES} instances in a 16-bit map, got {len(sample.instances)}"
            )
    with ExitStack() as aside:
        with _writing("folder", root):
            kinds = (INSTANCES, OVERLAYS) if overlays else (INSTANCES,)
            pictures = {kind: root / kind for kind in kinds}
            for kind, folder in pictures.items():
                if folder.exists():
                    pictures[kind] = aside.enter_context(replaced_folder(folder))
                pictures[kind].mkdir(parents=True, exist_ok=True)
                mark_as_output(pictures[kind])
        predictions = PredictionFolder(root, pictures, samples)
        yield predictions
        predictions.finish()
        if not overlays:
            shutil.rmtree(root / OVERLAYS, ignore_errors=True)  # of the earlier prediction


def _check_room(root: Path, overwrite: bool) -> None:
    """Whether nothing but an earlier prediction that may go is where the new one will be."""
    for kind in (INSTANCES, OVERLAYS):
        if (root / kind).exists() and not (root / kind / OUTPUT_MARK).exists():
            raise WesamError(
                f"{root / kind}: expected no such folder, or one of an earlier prediction (with {OUTPUT_MARK} in it), "
                f"got another, whose files would be lost"
            )
    earlier = [root / name for name in (RESULTS, INSTANCES, OVERLAYS) if (root / name).exists()]
    if earlier and not overwrite:
        raise WesamError(
            f"{earlier[0]}: expected a new folder, got one with predictions that may hold corrections; "
            f"overwrite replaces them"
        )


class PredictionFolder:
    """Writes predictions image by image; `prediction_folder` opens one.

    * `predictions.json`: a COCO data set: "images" (with new numbers as ids, and `file_name`), "categories"
      and "annotations" (`segmentation` as compressed RLE, `bbox`, `area`, `score`, and `label_id`, the id of
      the label that prompted it). It opens in labelling tools, and in this package again as labels. Its
      annotations alone are what `pycocotools` calls results.
    * `instances/NAME.png`: 16-bit, 0 where no object is, k on the k-th object of the image. Where masks
      overlap the smaller one is on top, so that none hides another wholly.
    * `overlays/NAME.png`: the image, and the masks on it.

    NAME is the image's path without its suffix, or with it where two images would share a name.

    Args:
        root: the folder.
        pictures: where those of each kind that is wanted are written.
        samples: all images that will be added.
    """

    def __init__(self, root: Path, pictures: Mapping[str, Path], samples: Sequence[Sample]) -> None:
        self.root = root
        self.results = root / RESULTS
        self._pictures = pictures
        # Some file systems do not tell "a" from "A".
        shared = Counter(_stem(sample.id).casefold() for sample in samples)
        self._names = {s.id: _stem(s.id) if shared[_stem(s.id).casefold()] == 1 else s.id for s in samples}
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []
        self._categories: dict[str, int] = {}

    def add(self, sample: Sample, image: Picture, masks: Sequence[Rle], scores: Sequence[float]) -> None:
        """Writes the two PNGs of one image and remembers its part of the JSON.

        Args:
            sample: the image, whose instances are the prompts.
            image: (H, W, 3) uint8 RGB.
            masks, scores: one an instance, in the order of the instances.

        Raises:
            WesamError: if a file cannot be written, or a score is not a number.
        """
        image_id = len(self._images) + 1
        self._images.append({"id": image_id, "file_name": sample.id, "width": sample.width, "height": sample.height})
        for instance, rle, score in zip(sample.instances, masks, scores, strict=True):
            self._annotations.append(self._annotation(image_id, instance, rle, score))
        self._write_png(INSTANCES, sample, instance_map(sample, masks))
        if OVERLAYS in self._pictures:
            drawn = Panel("masks", masks={i.id: rle for i, rle in zip(sample.instances, masks, strict=True)})
            self._write_png(OVERLAYS, sample, draw_panels(image, [Panel("image"), drawn]))

    def finish(self) -> None:
        """Writes `predictions.json`, whole or not at all."""
        content = {
            "images": self._images,
            "categories": [{"id": number, "name": name} for name, number in self._categories.items()],
            "annotations": self._annotations,
        }
        with _writing("file", self.results), replaced_file(self.results) as partial:
            partial.write_text(dumps(content) + "\n", encoding="utf-8")

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
            "score": score_within(score),
            "label_id": instance.id,
        }

    def _write_png(self, kind: str, sample: Sample, pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
        name = f"{self._names[sample.id]}.png"
        path = self._pictures[kind] / name
        with _writing("file", self.root / kind / name):
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)


@contextmanager
def _writing(kind: str, path: Path) -> Iterator[None]:
    """Within it, a file or folder that cannot be written is the user's mistake, and is named."""
    try:
        yield
    except OSError as error:
        raise WesamError(f"{path}: expected a {kind} that can be written, got: {error}") from error


def instance_map(sample: Sample, masks: Sequence[Rle]) -> NDArray[np.uint16]:
    """(H, W) uint16: k on the k-th mask (from 1), 0 elsewhere; the smaller of two overlapping masks wins."""
    pixels = np.zeros((sample.height, sample.width), dtype=np.uint16)
    areas = [int(coco_mask.area(rle)) for rle in masks]
    for index in sorted(range(len(masks)), key=lambda i: -areas[i]):
        x0, y0, width, height = (int(edge) for edge in coco_mask.toBbox(masks[index]))
        window = slice(y0, y0 + height), slice(x0, x0 + width)
        pixels[window][coco_mask.decode(masks[index])[window].astype(bool)] = index + 1
    return pixels


def _stem(sample_id: str) -> str:
    return str(PurePosixPath(sample_id).with_suffix(""))
