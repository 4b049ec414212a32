"""Labels of any format written as COCO JSON, which most tools open and `labels.coco` reads back."""

from __future__ import annotations

import math
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pycocotools import mask as coco_mask

from wesam.atomic import replaced_file
from wesam.errors import WesamError
from wesam.strict_json import dumps
from wesam.types import BACKGROUND, FOREGROUND

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from wesam.types import Instance, Sample

_UNNAMED = "object"  # COCO has no annotation without category
_VISIBLE = 2

#: How the description of such a file begins. Its labels are on upright images.
OWN = "written by wesam"


def write_coco(
    samples: Sequence[Sample],
    path: str | Path,
    more: Callable[[Instance], dict[str, Any]] | None = None,
    whole: bool = False,
) -> None:
    """Writes samples to a COCO JSON file, whole or not at all.

    Each instance keeps the kinds of labels it has: unless `whole`, no box is made for a mask. Points become
    keypoints, which each category names "positive 1", ..., "negative 1", ...: so `read_coco` tells them apart again,
    those on the object first. Ids are new numbers; the old ones stand in "label_id". An instance without category
    gets the category "object".

    Args:
        samples: of one set; their ids become "file_name".
        path: the file; its folder is made.
        more: gives further fields of an instance's annotation, such as a score, which is written as `score_within`
            has it; readers pass over them.
        whole: whether a mask has its "bbox" too, and a box an empty "segmentation", as other tools expect without
            asking. Points alone still have neither: where their object ends, nobody said.

    Raises:
        WesamError: if the file cannot be written, or a score is not a number.
    """
    slots = _slots(samples)
    names = sorted(slots)
    numbers = {name: number for number, name in enumerate(names, start=1)}
    annotations: list[dict[str, Any]] = []
    for image_id, sample in enumerate(samples, start=1):
        for instance in sample.instances:
            name = _category(instance)
            annotation: dict[str, Any] = {
                "id": len(annotations) + 1,
                "image_id": image_id,
                "category_id": numbers[name],
            }
            annotation.update(_labels(instance, slots[name]), label_id=instance.id)
            if whole and instance.rle is not None:
                annotation.setdefault("bbox", coco_mask.toBbox(instance.rle).tolist())
            elif whole and instance.box is not None:
                annotation["segmentation"] = []
            annotations.append(annotation if more is None else {**annotation, **_scores(more(instance))})
    content = {
        "info": {"description": f"{OWN} {version('wesam')}"},
        "images": [
            {"id": number, "file_name": sample.id, "width": sample.width, "height": sample.height}
            for number, sample in enumerate(samples, start=1)
        ],
        "categories": [{"id": numbers[name], "name": name, **_keypoint_names(slots[name])} for name in names],
        "annotations": annotations,
    }
    try:
        with replaced_file(Path(path)) as partial:
            partial.write_text(dumps(content) + "\n", encoding="utf-8")
    except OSError as error:
        raise WesamError(f"{path}: expected a file that can be written, got: {error}") from error


def score_within(score: float) -> float:
    """A score within 0..1: a network's estimate of an IoU may be a little outside.

    Raises:
        WesamError: if it is not a number, as those of damaged weights are.
    """
    if math.isnan(score):
        raise WesamError("expected a score of each mask, got one that is not a number (NaN): are the weights damaged?")
    return min(max(float(score), 0.0), 1.0)


def _scores(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: score_within(value) if key == "score" else value for key, value in fields.items()}


def _category(instance: Instance) -> str:
    return instance.category or _UNNAMED


def _slots(samples: Sequence[Sample]) -> dict[str, Counter[int]]:
    """By category, for how many points on (1) and off (0) an object its annotations have room."""
    slots: dict[str, Counter[int]] = {}
    for sample in samples:
        for instance in sample.instances:
            needed = Counter(label for _, _, label in instance.points)
            slots[_category(instance)] = slots.get(_category(instance), Counter()) | needed
    return slots


def _keypoint_names(slots: Counter[int]) -> dict[str, list[str]]:
    sides = (("positive", slots[FOREGROUND]), ("negative", slots[BACKGROUND]))
    names = [f"{side} {number}" for side, count in sides for number in range(1, count + 1)]
    return {"keypoints": names} if names else {}


def _labels(instance: Instance, slots: Counter[int]) -> dict[str, Any]:
    """The fields of an annotation that the instance has labels for."""
    fields: dict[str, Any] = {"iscrowd": 0}
    if instance.box is not None:
        x0, y0, x1, y1 = instance.box
        fields.update(bbox=[x0, y0, x1 - x0, y1 - y0], area=(x1 - x0) * (y1 - y0))
    if instance.rle is not None:
        rle = instance.rle
        fields["segmentation"] = {"size": list(rle["size"]), "counts": rle["counts"].decode("ascii")}
        fields["area"] = int(coco_mask.area(rle))
    if instance.points:
        keypoints: list[float] = []
        for side in (FOREGROUND, BACKGROUND):
            own = [(x, y) for x, y, label in instance.points if label == side]
            for x, y in own:
                keypoints += (x, y, _VISIBLE)
            keypoints += [0, 0, 0] * (slots[side] - len(own))
        fields.update(keypoints=keypoints, num_keypoints=len(instance.points))
    return fields
