"""Is the model any good, and does it look at the image? Asked from the first minutes of training on.

A model can reach a decent IoU while blind: it draws plausible shapes into boxes. The *embedding swap* shows
it: the same prompts are decoded with the right image's features, another image's, and zeros.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from pycocotools.coco import COCO
from torch import Tensor
from transformers import SamModel

from wesam.evaluation.trivial import TRIVIAL_ANSWERS
from wesam.synthetic.batches import normalise
from wesam.synthetic.canvas import Scene
from wesam.synthetic.scenes import generate

Kind = Literal["box", "points", "point"]
Swap = Literal["right", "other", "zeros"]


def scenes(family: str, seed: int, count: int, size: int = 256) -> list[Scene]:
    """Scenes of a seed that no pool used."""
    return [generate(family, seed, index, size) for index in range(count)]


def pack_scenes(pack: Path, count: int | None = None) -> list[Scene]:
    """The test split of a COCO pack (`images/`, `instances_test.json`)."""
    coco = COCO(str(pack / "instances_test.json"))
    found = []
    for info in list(coco.imgs.values())[:count]:
        image = cv2.cvtColor(cv2.imread(str(pack / "images" / info["file_name"])), cv2.COLOR_BGR2RGB)
        annotations = coco.loadAnns(coco.getAnnIds(info["id"]))
        found.append(Scene(image.astype(np.uint8), np.stack([coco.annToMask(a) for a in annotations]).astype(bool)))
    return found


def _limited(scene: Scene, most: int | None, seed: int) -> NDArray[np.bool_]:
    if most is None or len(scene.masks) <= most:
        return scene.masks
    return scene.masks[np.random.default_rng(seed).permutation(len(scene.masks))[:most]]


def _letterbox(image: NDArray[np.uint8], size: int) -> tuple[Tensor, float]:
    """SAM's preprocessing: longest side to `size`, padded bottom right after normalisation."""
    scale = size / max(image.shape[:2])
    height, width = (round(side * scale) for side in image.shape[:2])
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return F.pad(normalise(small.astype(np.uint8)), (0, size - width, 0, size - height)), scale


def _prompts(masks: NDArray[np.bool_], scale: float, kind: Kind, seed: int) -> dict[str, Tensor]:
    rng = np.random.default_rng(seed)
    boxes, points, labels = [], [], []
    inner, outer = (5, 5) if kind == "points" else (1, 0)
    for mask in masks:
        x, y, w, h = cv2.boundingRect(mask.astype(np.uint8))
        boxes.append([x, y, x + w, y + h])
        inside, outside = np.flatnonzero(mask), np.flatnonzero(~mask)
        chosen = [rng.choice(inside, inner)] + ([rng.choice(outside, outer)] if outer and len(outside) else [])
        flat = np.concatenate(chosen)
        points.append(np.stack(np.unravel_index(flat, mask.shape)[::-1], 1))
        labels.append(mask.ravel()[flat].astype(np.float32))
    if kind == "box":
        return {"input_boxes": torch.tensor(boxes, dtype=torch.float32)[None] * scale}
    where = (torch.from_numpy(np.stack(points)).float()[None] + 0.5) * scale - 0.5
    return {"input_points": where, "input_labels": torch.from_numpy(np.stack(labels))[None]}


@torch.inference_mode()
def _answers(
    sam: SamModel, features: Tensor, prompts: dict[str, Tensor], shape: tuple[int, int], scale: float
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Single masks (N, H, W) at the original resolution and their predicted IoU (N,)."""
    size = sam.config.vision_config.image_size
    out = sam(image_embeddings=features, multimask_output=False, **prompts)
    height, width = (round(side * scale) for side in shape)
    masks = []
    for logits in out.pred_masks[0].split(32):
        large = F.interpolate(logits.float(), (size, size), mode="bilinear")[..., :height, :width]
        masks.append(F.interpolate(large, shape, mode="bilinear")[:, 0] > 0)
    return torch.cat(masks).numpy(), out.iou_scores[0, :, 0].float().numpy()


def _ious(predicted: NDArray[np.bool_], true: NDArray[np.bool_]) -> NDArray[np.float64]:
    union = (predicted | true).sum((1, 2))
    return np.asarray((predicted & true).sum((1, 2)) / np.maximum(union, 1))


def evaluate(
    sam: SamModel,
    test: Sequence[Scene],
    kind: Kind = "box",
    swap: Swap = "right",
    most: int | None = None,
    seed: int = 0,
    features: Sequence[Tensor] | None = None,
) -> dict[str, float]:
    """Mean over images of the mean IoU over instances, at the original resolution, in percent.

    Args:
        kind: "box" tight box, "points" five inside and five outside, "point" a single one inside.
        swap: whose features answer.
        most: instances an image at most; all if None.
        seed: of the points.
        features: of `embed`, to save asking the encoder again.
    Returns:
        ``miou`` and ``correlation`` of predicted with true IoU over all instances.
    """
    size = sam.config.vision_config.image_size
    sam.eval()
    means: list[float] = []
    predicted: list[float] = []
    true: list[float] = []
    features = features or embed(sam, test)
    for i, scene in enumerate(test):
        masks = _limited(scene, most, i)
        scale = size / max(scene.image.shape[:2])
        use = features[i if swap == "right" else (i + 1) % len(test)]
        use = torch.zeros_like(use) if swap == "zeros" else use
        shape = (scene.image.shape[0], scene.image.shape[1])
        answers, score = _answers(sam, use, _prompts(masks, scale, kind, seed + i), shape, scale)
        ious = _ious(answers, masks)
        means.append(ious.mean())
        predicted.extend(score)
        true.extend(ious)
    correlation = float(np.corrcoef(predicted, true)[0, 1]) if np.std(predicted) > 0 else 0.0
    return {"miou": 100 * float(np.mean(means)), "correlation": correlation}


@torch.inference_mode()
def embed(sam: SamModel, test: Sequence[Scene]) -> list[Tensor]:
    """Features of each scene, (1, C, g, g)."""
    size = sam.config.vision_config.image_size
    return [sam.get_image_embeddings(_letterbox(scene.image, size)[0][None]) for scene in test]


def trivial(test: Sequence[Scene], most: int | None = None) -> dict[str, float]:
    """mIoU in percent of the answers that need no network, from the tight box."""
    scores: dict[str, list[float]] = {name: [] for name in TRIVIAL_ANSWERS}
    for i, scene in enumerate(test):
        masks = _limited(scene, most, i)
        for name, answer in TRIVIAL_ANSWERS.items():
            drawn = []
            for mask in masks:
                x, y, w, h = cv2.boundingRect(mask.astype(np.uint8))
                drawn.append(answer(scene.image, (x, y, x + w, y + h)))
            scores[name].append(float(_ious(np.stack(drawn), masks).mean()))
    return {name: 100 * float(np.mean(values)) for name, values in scores.items()}
