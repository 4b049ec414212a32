"""From pool to training batch: geometry and colour changes, chosen instances, simulated prompts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from recipes.pretraining.pool import Pool
from wesam.generated.canvas import descendants

_MEAN = np.array([0.485, 0.456, 0.406], np.float32)  # ImageNet's, as SAM normalises
_STD = np.array([0.229, 0.224, 0.225], np.float32)


def normalise(image: NDArray[np.uint8]) -> Tensor:
    """(H, W, 3) uint8 RGB to SAM's normalised (3, H, W) float32."""
    return torch.from_numpy((image.astype(np.float32) / 255 - _MEAN) / _STD).permute(2, 0, 1).contiguous()


@dataclass
class Batch:
    """B images with K instances each, all in the input frame (S x S pixels, m x m mask grid).

    Attributes:
        pixels: (B, 3, S, S) normalised.
        labels: (B, m, m) topmost instance, for the dense heads.
        edges: (B, 1, m, m) in {0, 1}.
        targets: (B, K, m, m) share of each cell the mask covers, in [0, 1].
        boxes: (B, K, 4) tight xyxy pixel edges.
        positives, negatives: (B, K, 6, 2) points (x, y) inside and outside each mask.
        coarse: (B, K, m, m) rasterised rough polygon, in {0, 1}.
    """

    pixels: Tensor
    labels: Tensor
    edges: Tensor
    targets: Tensor
    boxes: Tensor
    positives: Tensor
    negatives: Tensor
    coarse: Tensor


@dataclass(frozen=True)
class Stepwise(Dataset[Batch]):
    """The batch of every step, by its number: whoever prepares it, and when, it is the same.

    Attributes:
        folder: of the pool; opened by each process that reads from it.
        seed: of the run.
        process: index of the training process; each has its own batches.
        images, instances: images a batch, instances an image.
    """

    folder: Path
    seed: int
    process: int
    images: int
    instances: int

    @cached_property
    def pool(self) -> Pool:
        """Memory-mapped scenes."""
        return Pool(self.folder)

    def __getitem__(self, step: int) -> Batch:
        return sample_batch(
            self.pool, np.random.default_rng([self.seed, step, self.process]), self.images, self.instances
        )

    def between(self, first: int, end: int, loaders: int) -> Iterator[Batch]:
        """Batches of steps [first, end), in order, prepared ahead by `loaders` processes; by this one if 0."""
        loader = DataLoader(
            self,
            batch_size=None,
            sampler=range(first, end),
            num_workers=loaders,
            multiprocessing_context="spawn" if loaders else None,  # a fork of a process with threads may hang
            worker_init_fn=_one_thread,
            generator=torch.Generator(),  # else starting it would draw from the generator of everything else
        )
        return iter(loader)


def _one_thread(_worker: int) -> None:
    cv2.setNumThreads(1)  # torch has seen to its own


def sample_batch(pool: Pool, rng: np.random.Generator, images: int, instances: int, *, augment: bool = True) -> Batch:
    """Draw one batch; the same generator state gives the same batch."""
    rows = [_sample_image(pool, rng, instances, augment) for _ in range(images)]
    return Batch(*(torch.stack(column) for column in zip(*rows, strict=True)))


def _sample_image(pool: Pool, rng: np.random.Generator, instances: int, augment: bool) -> tuple[Tensor, ...]:
    while True:
        image, labels, parents = pool[int(rng.integers(len(pool)))]
        if augment:
            image, labels = _change_geometry(rng, image, labels)
        masks = _choose(rng, labels, parents, instances)
        if masks:
            break
    if augment:
        image = _change_colour(rng, image)
    grid = image.shape[0] // 4
    gradient = cv2.morphologyEx(labels, cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8)) > 0
    edges = cv2.resize(gradient.astype(np.float32), (grid, grid), interpolation=cv2.INTER_AREA) > 0.2
    chosen = [masks[i % len(masks)] for i in rng.permutation(max(len(masks), instances))[:instances]]
    described = [_describe(rng, mask, grid) for mask in chosen]
    return (
        normalise(image),
        torch.from_numpy(labels[2::4, 2::4].astype(np.int64)),
        torch.from_numpy(edges[None].astype(np.float32)),
        *(torch.from_numpy(np.stack(column)) for column in zip(*described, strict=True)),
    )


def _change_geometry(
    rng: np.random.Generator, image: NDArray[np.uint8], labels: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    if rng.uniform() < 0.5:
        image, labels = image[:, ::-1], labels[:, ::-1]
    if rng.uniform() < 0.2:
        image, labels = image[::-1], labels[::-1]
    if rng.uniform() < 0.2:
        image, labels = image.transpose(1, 0, 2), labels.T
    if rng.uniform() < 0.6:  # zoom in, or out with SAM's padding at the bottom right
        size = image.shape[0]
        zoom = np.exp(rng.uniform(np.log(0.7), np.log(2.0)))
        stretch = np.exp(rng.normal(0, 0.15))
        sx, sy = zoom * stretch, zoom / stretch
        tx, ty = (rng.uniform(min(0, size * (1 - s)), 0) for s in (sx, sy))
        warp = np.array([[sx, 0, tx], [0, sy, ty]], np.float32)
        image = cv2.warpAffine(
            np.ascontiguousarray(image),
            warp,
            (size, size),
            flags=cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR,
            borderValue=(124, 116, 104),
        ).astype(np.uint8)
        labels = cv2.warpAffine(np.ascontiguousarray(labels), warp, (size, size), flags=cv2.INTER_NEAREST).astype(
            np.uint8
        )
    return np.ascontiguousarray(image), np.ascontiguousarray(labels)


def _change_colour(rng: np.random.Generator, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Contrast, brightness, gamma, inversion and channel mixing, by one table and one matrix."""
    if rng.uniform() < 0.3:
        return image
    level = np.linspace(0, 1, 256)
    if rng.uniform() < 0.2:
        level = 1 - level
    level = level ** np.exp(rng.normal(0, 0.3))
    level = (level - 0.5) * np.exp(rng.normal(-0.1, 0.35)) + 0.5 + rng.normal(0, 0.1)
    table = np.clip(level * 255, 0, 255).astype(np.uint8)
    mix = np.eye(3) + rng.normal(0, 0.15, (3, 3))
    if rng.uniform() < 0.15:
        mix[:] = rng.dirichlet((3, 3, 3))  # to grey
    mixed = cv2.transform(cv2.LUT(image, table), mix / np.abs(mix).sum(1, keepdims=True).clip(1))
    return np.asarray(np.clip(mixed, 0, 255), np.uint8)


def _choose(
    rng: np.random.Generator, labels: NDArray[np.uint8], parents: list[int], wanted: int
) -> list[NDArray[np.uint8]]:
    """Masks of up to `wanted` visible instances, (S, S) uint8; large ones somewhat preferred."""
    area = np.bincount(labels.ravel(), minlength=len(parents) + 1)[1:].astype(np.float64)
    for child in range(len(parents), 0, -1):  # a whole owns the pixels of its parts
        if parents[child - 1]:
            area[parents[child - 1] - 1] += area[child - 1]
    # below six pixels a thing is a cell or two of the mask grid: noise, at this resolution
    weight = np.where(area >= 40, area**0.5, 0)
    candidates = int((weight > 0).sum())
    if not candidates:
        return []
    picks = rng.choice(len(weight), min(wanted, candidates), replace=False, p=weight / weight.sum())
    masks = []
    for pick in picks:
        mask = np.isin(labels, descendants(parents, int(pick) + 1)).astype(np.uint8)
        _, _, w, h = cv2.boundingRect(mask)
        if min(w, h) >= 6:
            masks.append(mask)
    return masks


def _describe(rng: np.random.Generator, mask: NDArray[np.uint8], grid: int) -> tuple[NDArray[np.float32], ...]:
    """Target, box, inner points, outer points and rough polygon of one mask."""
    size = mask.shape[0]
    target = cv2.resize(mask.astype(np.float32), (grid, grid), interpolation=cv2.INTER_AREA)
    x, y, w, h = cv2.boundingRect(mask)
    box = np.array([x, y, x + w, y + h], np.float32)
    inner = np.flatnonzero(mask)
    positives = np.stack(np.unravel_index(rng.choice(inner, 6), mask.shape)[::-1], 1)
    # half of the negatives anywhere, half close by, where they tell most
    reach = 0.3 * max(w, h) + 4
    far = rng.integers(0, size, (40, 2))
    near = rng.uniform([x - reach, y - reach], [x + w + reach, y + h + reach], (40, 2)).astype(int)
    share = 20 if rng.uniform() < 0.5 else 0
    points = np.clip(np.concatenate([far[:share], near, far[share:]]), 0, size - 1)
    if rng.uniform() < 0.5:
        points = far
    outside = points[mask[points[:, 1], points[:, 0]] == 0]
    if len(outside) < 6:
        free = np.flatnonzero(mask == 0)
        fill = (
            np.stack(np.unravel_index(rng.choice(free, 6), mask.shape)[::-1], 1) if len(free) else np.zeros((6, 2), int)
        )
        outside = np.concatenate([outside, fill])
    outline, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    largest = max(outline, key=cv2.contourArea)
    rough = cv2.approxPolyDP(largest, rng.uniform(0.01, 0.06) * cv2.arcLength(largest, True), True)
    coarse = np.zeros((size, size), np.uint8)
    cv2.fillPoly(coarse, [rough], 1)
    low = coarse[2::4, 2::4].astype(np.float32)
    return target, box, positives.astype(np.float32), rng.permutation(outside)[:6].astype(np.float32), low
