"""What a model card says of a promptable model: measured through the package, on images it did not learn from.

    python -m recipes.edge.card wesam-edge --dataset natural=PATH nuclei=PATH

One table of mean IoU, one of what the IoU head knows, one of what further clicks add.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recipes.pretraining.probe import Kind, pack_scenes, scenes, trivial
from wesam import markdown
from wesam.evaluation.metrics import mask_overlap
from wesam.frames.geometry import Geometry
from wesam.generated.canvas import Scene
from wesam.masks import encode_mask
from wesam.models.features import Features
from wesam.models.inference import encode_view, full_size_masks, inference
from wesam.models.load import load_source
from wesam.models.segmenter import Segmenter
from wesam.prompts.build import build_prompts
from wesam.prompts.simulate import random_points, tight_box
from wesam.types import Instance, Prompts

#: Of scenes that neither a pool nor a probe draws.
SEED = 3_000_000

#: Clicks a mask, the first of them at random.
ROUNDS = 5

_BINS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Answers:
    """True and predicted IoU of every output (the single mask first) for all N instances of all images.

    Attributes:
        image: (N,) number of the image.
        true, predicted: (N, 1 + K) in [0, 1].
    """

    image: NDArray[np.int64]
    true: Array
    predicted: Array

    def miou(self, values: Array) -> float:
        """Mean over images of the mean of (N,) values over instances, in percent."""
        return 100 * float(np.mean([values[self.image == i].mean() for i in np.unique(self.image)]))

    @property
    def single(self) -> float:
        """mIoU of the single mask."""
        return self.miou(self.true[:, 0])

    @property
    def chosen(self) -> float:
        """mIoU of the output whose predicted IoU is highest, the single mask among them."""
        return self.miou(np.take_along_axis(self.true, self.predicted.argmax(1)[:, None], 1)[:, 0])

    @property
    def best(self) -> float:
        """mIoU of the output that is best in truth: what a perfect choice would reach."""
        return self.miou(self.true.max(1))

    @property
    def correlation(self) -> float:
        """Of predicted with true IoU, single mask."""
        return float(np.corrcoef(self.predicted[:, 0], self.true[:, 0])[0, 1])

    def calibration(self) -> Iterator[tuple[int, float, float]]:
        """Instances, mean predicted and mean true IoU of the single mask, by fifths of the predicted IoU."""
        for low, high in itertools.pairwise(_BINS):
            inside = (self.predicted[:, 0] >= low) & (self.predicted[:, 0] < high)
            if inside.any():
                yield int(inside.sum()), float(self.predicted[inside, 0].mean()), float(self.true[inside, 0].mean())


class Measured:
    """An image set, encoded once for many questions."""

    def __init__(self, segmenter: Segmenter, test: Sequence[Scene]) -> None:
        self.segmenter, self.test = segmenter, test
        self.views = [Geometry((0, 0, *scene.image.shape[1::-1]), segmenter.input) for scene in test]
        with inference(segmenter):
            self.features = [
                encode_view(segmenter, scene.image, view) for scene, view in zip(test, self.views, strict=True)
            ]

    def ask(self, kind: Kind, swap: str = "right") -> Answers:
        """Every output for every instance; `swap`: "right", or "other" and "zeros" in place of the image's features."""
        images, true, predicted = [], [], []
        for i, scene in enumerate(self.test):
            features = self.features[i if swap == "right" else (i + 1) % len(self.test)]
            features = features.zeros_like() if swap == "zeros" else features
            asked = _instances(scene.masks, kind, np.random.default_rng(i))
            prompts = build_prompts(asked, self.views[i], self.segmenter.mask_grid)
            logits, iou = self._outputs(features, prompts)
            true.append(self._overlaps(i, logits))
            predicted.append(iou.double().numpy())
            images += [i] * len(asked)
        return Answers(np.array(images), np.concatenate(true), np.concatenate(predicted))

    def clicks(self, rounds: int = ROUNDS) -> list[float]:
        """mIoU after each click: the first at random, each next where the last mask is most wrong, with that mask."""
        scores: list[list[float]] = [[] for _ in range(rounds)]
        for i, scene in enumerate(self.test):
            rng, view = np.random.default_rng(i), self.views[i]
            clicks = [list(random_points(mask, rng, 1, 0)) for mask in scene.masks]
            last: Tensor | None = None
            for row in scores:
                asked = [Instance(str(n), points=tuple(points)) for n, points in enumerate(clicks)]
                prompts = replace(build_prompts(asked, view, self.segmenter.mask_grid), masks=last)
                index = torch.zeros(len(prompts), dtype=torch.long)
                with inference(self.segmenter):
                    last = self.segmenter.decode(self.features[i], prompts, index).logits
                shown = (view.restore_logits(last) > 0).numpy()
                overlaps = [_iou(mask, answer) for mask, answer in zip(scene.masks, shown, strict=True)]
                row.append(float(np.mean(overlaps)))
                for points, mask, answer in zip(clicks, scene.masks, shown, strict=True):
                    points.append(correcting_click(mask, answer) or points[0])
        return [100 * float(np.mean(row)) for row in scores]

    def _outputs(self, features: Features, prompts: Prompts) -> tuple[Tensor, Tensor]:
        """(N, 1 + K, m, m) logits and (N, 1 + K) predicted IoU."""
        index = torch.zeros(len(prompts), dtype=torch.long)
        with inference(self.segmenter):
            one = self.segmenter.decode(features, prompts, index)
            several = self.segmenter.decode_multimask(features, prompts, index)
        return torch.cat([one.logits[:, None], several.logits], 1), torch.cat([one.iou[:, None], several.iou], 1)

    def _overlaps(self, i: int, logits: Tensor) -> Array:
        scene = self.test[i]
        encoded = full_size_masks(logits.flatten(0, 1), self.views[i], scene.image.shape[:2])
        truth = [encode_mask(mask) for mask in scene.masks for _ in range(logits.shape[1])]
        overlaps = [mask_overlap(answer, mask).iou for answer, mask in zip(encoded, truth, strict=True)]
        return np.array(overlaps).reshape(logits.shape[:2])


def correcting_click(truth: NDArray[np.bool_], answer: NDArray[np.bool_]) -> tuple[float, float, int] | None:
    """The pixel deepest inside what an answer misses or has too much, with its label; None where it is right.

    Args:
        truth, answer: (H, W) bool.
    """
    wrong = np.pad((truth != answer).astype(np.uint8), 1)  # the image's border is one
    depth = cv2.distanceTransform(wrong, cv2.DIST_L2, 3)[1:-1, 1:-1]
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return (float(x), float(y), int(truth[y, x])) if depth[y, x] > 0 else None


def speed(segmenter: Segmenter, test: Sequence[Scene], prompts: int = 32) -> tuple[float, float]:
    """Milliseconds an image (encoding) and a prompt (one of `prompts` boxes decoded together)."""
    measured = Measured(segmenter, test[:2])  # warms up
    started = time.perf_counter()
    measured = Measured(segmenter, test)
    image = (time.perf_counter() - started) / len(test)
    boxes = torch.rand(prompts, 2).repeat(1, 2) * 128 + torch.tensor([0.0, 0, 64, 64])
    started = time.perf_counter()
    for features in measured.features:
        with inference(segmenter):
            segmenter.decode(features, Prompts(boxes=boxes), torch.zeros(prompts, dtype=torch.long))
    return 1e3 * image, 1e3 * (time.perf_counter() - started) / len(test) / prompts


_COLUMNS = (
    "box", "5+5 points", "1 click", "1 click, chosen", "1 click, best", "box, other image", "box, zeros",
    "points, other image", "filled box", "inscribed ellipse", "GrabCut",
)  # fmt: skip


def report(segmenter: Segmenter, sets: dict[str, Sequence[Scene]]) -> Iterator[str]:
    """The lines of the tables."""
    quality, head, further = [], [], []
    for name, test in sets.items():
        measured = Measured(segmenter, test)
        box, points, click = (measured.ask(kind) for kind in ("box", "points", "point"))
        swapped = [measured.ask("box", "other"), measured.ask("box", "zeros"), measured.ask("points", "other")]
        guess = trivial(test)
        values = [
            *(a.single for a in (box, points, click)), click.chosen, click.best, *(a.single for a in swapped),
            *(guess[kind] for kind in ("box", "ellipse", "grabcut")),
        ]  # fmt: skip
        quality.append([f"{name}, {len(test)}", *(f"{value:.1f}" for value in values)])
        for kind, answers in (("box", box), ("5+5 points", points), ("1 click", click)):
            bins = "; ".join(f"{100 * p:.0f}: {100 * t:.0f} ({n})" for n, p, t in answers.calibration())
            head.append([f"{name}, {kind}", f"{answers.correlation:.2f}", bins])
        further.append([name, *(f"{value:.1f}" for value in measured.clicks())])
    yield markdown.table(["mIoU (%)", *_COLUMNS], quality)
    yield ""
    yield markdown.table(["IoU head", "r", "predicted: true IoU (instances)"], head)
    yield ""
    yield markdown.table(["mIoU (%) after clicks", *(str(n + 1) for n in range(ROUNDS))], further)


def _instances(masks: NDArray[np.bool_], kind: Kind, rng: np.random.Generator) -> list[Instance]:
    if kind == "box":
        return [Instance(str(i), box=tight_box(mask)) for i, mask in enumerate(masks)]
    counts = (5, 5) if kind == "points" else (1, 0)
    return [Instance(str(i), points=random_points(mask, rng, *counts)) for i, mask in enumerate(masks)]


def _iou(mask: NDArray[np.bool_], answer: NDArray[np.bool_]) -> float:
    return float((mask & answer).sum() / max(1, (mask | answer).sum()))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Measure a model for its card.")
    parser.add_argument("model", help="bundled name or folder")
    parser.add_argument("--count", type=int, default=100, help="held-out scenes")
    parser.add_argument("--dataset", nargs="*", default=[], metavar="NAME=PATH", help="COCO datasets with a test split")
    options = parser.parse_args()
    started = time.perf_counter()
    segmenter = load_source(options.model, "cpu")
    print(f"loaded in {time.perf_counter() - started:.2f} s")
    sets: dict[str, Sequence[Scene]] = {"held-out scenes": scenes("source", SEED, options.count)}
    sets |= {name: pack_scenes(Path(path)) for name, path in (text.split("=", 1) for text in options.dataset)}
    image, prompt = speed(segmenter, sets["held-out scenes"][:20])
    print(f"{image:.0f} ms an image, {prompt:.1f} ms a prompt, {torch.get_num_threads()} threads\n")
    for text in report(segmenter, sets):
        print(text, flush=True)


if __name__ == "__main__":
    main()
