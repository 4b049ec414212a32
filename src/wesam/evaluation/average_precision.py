"""Average precision and recall of masks that are found without a prompt, as COCO measures them (pycocotools)."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from wesam.evaluation.ground_truth import true_masks
from wesam.masks import Rle
from wesam.types import Sample

_MOST = 1000  # masks of an image that count, those of the highest score; COCO: 100, fewer than a slide has nuclei


@dataclass(frozen=True)
class AveragePrecision:
    """Without classes, in [0, 1]; NaN where there is no object.

    Attributes:
        ap: mean over IoUs of 0.5, 0.55, ... 0.95 (Lin et al. 2014, arXiv 1405.0312).
        ap50: at an IoU of 0.5.
        recall: mean over the same IoUs of the fraction of objects that are found.
    """

    ap: float
    ap50: float
    recall: float


def average_precision(
    found: Sequence[Sample], scores: Mapping[str, float], truths: Sequence[Sample]
) -> AveragePrecision:
    """Compares what was found with what there is. An object that is not labelled makes a mask on it wrong.

    Args:
        found: the images with what was found; every instance has a mask.
        scores: how sure each is, by the instance's id.
        truths: the same images, in the same order, with true masks.
    """
    truth, answers = COCO(), COCO()
    images = [{"id": number, "height": one.height, "width": one.width} for number, one in enumerate(truths)]
    objects = [_annotation(number, rle, 1.0) for number, sample in enumerate(truths) for rle in true_masks(sample)]
    masks = [
        _annotation(number, one.rle, scores[one.id])
        for number, sample in enumerate(found)
        for one in sample.instances
        if one.rle is not None
    ]
    with redirect_stdout(io.StringIO()):  # pycocotools prints
        for coco, annotations in ((truth, objects), (answers, masks)):
            numbered = [{"id": place, **annotation} for place, annotation in enumerate(annotations, start=1)]
            coco.dataset = {"images": images, "annotations": numbered, "categories": [{"id": 1, "name": "object"}]}
            coco.createIndex()
        judge = COCOeval(truth, answers, "segm")
        judge.params.maxDets = [_MOST]
        judge.params.areaRng, judge.params.areaRngLbl = [[0, 1e10]], ["all"]
        judge.evaluate()
        judge.accumulate()
    precision, recall = judge.eval["precision"][:, :, 0, 0, 0], judge.eval["recall"][:, 0, 0, 0]
    return AveragePrecision(_mean(precision), _mean(precision[0]), _mean(recall))


def _annotation(image: int, rle: Rle, score: float) -> dict[str, Any]:
    from pycocotools import mask as coco_mask

    area = float(coco_mask.area(rle))
    return {
        "image_id": image,
        "category_id": 1,
        "segmentation": rle,
        "area": area,
        "bbox": coco_mask.toBbox(rle).tolist(),
        "iscrowd": 0,
        "score": score,
    }


def _mean(values: Any) -> float:
    known = values[values > -1]
    return float(np.mean(known)) if known.size else float("nan")
