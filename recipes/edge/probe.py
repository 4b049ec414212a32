"""Is the model any good, and does it look at the image? Asked during training, of images it never learns from.

The *embedding swap* decodes the same prompts with another image's features, or with zeros: a model that draws shapes
into boxes answers the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from recipes.edge.network import EdgeNet, Levels
from recipes.pretraining.batches import normalise
from recipes.pretraining.probe import pack_scenes, scenes, trivial
from wesam.generated.canvas import Scene
from wesam.prompts.simulate import random_points, tight_box

Kind = Literal["box", "points", "point"]

#: Seed of scenes that no pool draws.
HELD_OUT = 1_000_000

#: Instances an image.
MOST = 8


def probe_sets(count: int, packs: dict[str, Path]) -> dict[str, list[Scene]]:
    """Held-out scenes, and half as many images of the test split of each dataset."""
    sets = {"scenes": scenes("source", HELD_OUT, count)}
    return sets | {name: pack_scenes(path, count // 2) for name, path in packs.items()}


def no_network(sets: dict[str, list[Scene]]) -> dict[str, dict[str, float]]:
    """mIoU in percent of the answers that need no network, from the tight box."""
    return {name: {kind: round(v, 1) for kind, v in trivial(test, MOST).items()} for name, test in sets.items()}


def probe(net: EdgeNet, sets: dict[str, list[Scene]]) -> dict[str, dict[str, float]]:
    """mIoU in percent by box and by 5 + 5 points, with the right and with another features; r of the IoU head."""
    return {name: _probe_set(net, test, swaps=name == "scenes") for name, test in sets.items()}


def _probe_set(net: EdgeNet, test: Sequence[Scene], swaps: bool) -> dict[str, float]:
    encoded = encode_all(net, test)
    box, points = evaluate(net, test, encoded, "box"), evaluate(net, test, encoded, "points")
    row: dict[str, Any] = {"box": box.miou, "points": points.miou, "r": box.correlation}
    other = encoded[1:] + encoded[:1]
    row["box, other image"] = evaluate(net, test, other, "box").miou
    if swaps:
        zeros: list[Levels] = [tuple(torch.zeros_like(level) for level in levels) for levels in encoded]  # type: ignore[misc]
        row["box, zeros"] = evaluate(net, test, zeros, "box").miou
        row["points, other image"] = evaluate(net, test, other, "points").miou
    return {key: round(value, 2) for key, value in row.items()}


@dataclass(frozen=True)
class Scores:
    """True and predicted IoU, one list an image."""

    true: list[NDArray[np.float64]]
    predicted: list[NDArray[np.float64]]

    @property
    def miou(self) -> float:
        """Mean over images of the mean over instances, in percent."""
        return 100 * float(np.mean([values.mean() for values in self.true]))

    @property
    def correlation(self) -> float:
        """Of predicted with true IoU over all instances."""
        return float(np.corrcoef(np.concatenate(self.predicted), np.concatenate(self.true))[0, 1])


@torch.no_grad()
def encode_all(net: EdgeNet, test: Sequence[Scene]) -> list[Levels]:
    """Features of each image in float32."""
    return [net.project(net.hidden(_input(scene.image, net.size)[None]))[0] for scene in test]


@torch.no_grad()
def evaluate(net: EdgeNet, test: Sequence[Scene], encoded: Sequence[Levels], kind: Kind) -> Scores:
    """The single mask of each instance's prompt, scored at the image's own resolution."""
    bf16, net.bf16 = net.bf16, False
    true, predicted = [], []
    for index, (scene, levels) in enumerate(zip(test, encoded, strict=True)):
        masks = scene.masks
        if len(masks) > MOST:
            masks = masks[np.random.default_rng(index).permutation(len(masks))[:MOST]]
        ious, guesses = np.zeros(len(masks)), np.zeros(len(masks))
        for rows, prompts in prompt_groups(masks, kind, np.random.default_rng(index), net.size):
            logits, guess = net.ask(levels, **prompts)
            shown = full_size(logits[:, :1], net.size, masks.shape[1:])[:, 0] > 0
            ious[rows] = overlap(shown, torch.from_numpy(masks[rows])).numpy()
            guesses[rows] = guess[:, 0].numpy()
        true.append(ious)
        predicted.append(guesses)
    net.bf16 = bf16
    return Scores(true, predicted)


def overlap(answers: Tensor, truth: Tensor) -> Tensor:
    """IoU of boolean masks (..., H, W)."""
    union = (answers | truth).sum((-2, -1))
    return (answers & truth).sum((-2, -1)) / union.clamp(min=1)


def prompt_groups(
    masks: NDArray[np.bool_], kind: Kind, generator: np.random.Generator, size: int
) -> Iterator[tuple[list[int], dict[str, Tensor]]]:
    """Rows of one image's masks (N, H, W), and their prompts in pixels of the input: one group a number of points."""
    height, width = masks.shape[1:]
    down, right = (new / old for new, old in zip(fitted((height, width), size), (height, width), strict=True))
    if kind == "box":
        boxes = torch.tensor([tight_box(mask) for mask in masks]) * torch.tensor([right, down, right, down])
        yield list(range(len(masks))), {"boxes": boxes[None].float()}
        return
    drawn = [random_points(mask, generator, *((5, 5) if kind == "points" else (1, 0))) for mask in masks]
    for count in sorted({len(points) for points in drawn}):  # tiny objects get fewer
        rows = [row for row, points in enumerate(drawn) if len(points) == count]
        clicks = torch.tensor([drawn[row] for row in rows])[None].float()
        yield rows, {"points": clicks[..., :2] * torch.tensor([right, down]), "labels": clicks[..., 2]}


def _input(image: NDArray[np.uint8], size: int) -> Tensor:
    """The image with its longest side at `size`, padded at the bottom right with ImageNet's mean."""
    height, width = fitted(image.shape[:2], size)
    resized = Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)
    pixels = normalise(np.array(resized))
    return F.pad(pixels, (0, size - width, 0, size - height))


def fitted(shape: tuple[int, ...], size: int) -> tuple[int, int]:
    """Height and width with the longest side at `size`."""
    scale = size / max(shape)
    return max(1, int(shape[0] * scale + 0.5)), max(1, int(shape[1] * scale + 0.5))


def full_size(logits: Tensor, size: int, shape: tuple[int, ...]) -> Tensor:
    """Logits (P, M, m, m) of the padded input at the image's own resolution, (P, M, H, W)."""
    height, width = fitted(shape, size)
    logits = F.interpolate(logits, size=(size, size), mode="bilinear", align_corners=False)
    return F.interpolate(logits[..., :height, :width], size=shape, mode="bilinear", align_corners=False)
