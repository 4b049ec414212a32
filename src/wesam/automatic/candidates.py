"""Every mask that a network answers to a grid of points, in a form small enough to keep."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from wesam.frames.geometry import Geometry
from wesam.frames.tiling import tile_crops
from wesam.models.inference import encode_view, inference
from wesam.models.stability import stability_score
from wesam.types import Prompts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from wesam.automatic.settings import GridSettings
    from wesam.frames.tiling import Crop
    from wesam.models.segmenter import Segmenter
    from wesam.types import MultimaskPrediction

# Logits are kept in eighths up to about +-16. Where a mask ends depends on those near 0 alone, and all keep their sign.
_STEPS = 8
_LARGEST = 127

# Values of mask logits that one call of the decoder may give (float32: 64 MB).
_VALUES_AT_ONCE = 2**24


@dataclass(frozen=True)
class Candidates:
    """The N masks of one image, seen in V views: the whole image, then its tiles.

    Attributes:
        crops: (V, 4) int32, where each view lies in the image, xyxy.
        view: (N,) int32, the view that a mask was found in.
        points: (N, 2) float32, the grid point that was asked about, (x, y) in the image frame.
        iou: (N,) float32 predicted IoU.
        stability: (N,) float32 in [0, 1].
        boxes: (N, 4) float32 xyxy in the image frame, as fine as the mask grid.
        cells: (N,) int32 area on the mask grid.
        share: (N,) float32 area as a share of the whole image.
        windows: (N, 4) int32, the part of the mask grid that is kept, xyxy.
        logits: int8 mask logits of all windows, one after another, row by row, in eighths. Outside of its window a
            mask has no cell.
    """

    crops: NDArray[np.int32]
    view: NDArray[np.int32]
    points: NDArray[np.float32]
    iou: NDArray[np.float32]
    stability: NDArray[np.float32]
    boxes: NDArray[np.float32]
    cells: NDArray[np.int32]
    share: NDArray[np.float32]
    windows: NDArray[np.int32]
    logits: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.iou)

    def mask_logits(self, indices: NDArray[np.int64], grid: int) -> Tensor:
        """(K, m, m) float32 logits of K masks of this image; m is the segmenter's `mask_grid`."""
        sizes = np.prod(self.windows[:, 2:] - self.windows[:, :2], axis=1, dtype=np.int64)
        ends = np.cumsum(sizes)
        whole = torch.full((len(indices), grid, grid), -_LARGEST / _STEPS)
        for row, index in zip(whole, indices.tolist(), strict=True):
            x0, y0, x1, y1 = self.windows[index].tolist()
            kept = self.logits[ends[index] - sizes[index] : ends[index]].reshape(y1 - y0, x1 - x0)
            row[y0:y1, x0:x1] = torch.from_numpy(kept.astype(np.float32) / _STEPS)
        return whole

    @staticmethod
    def join(crops: Sequence[Crop], parts: Sequence[Candidates]) -> Candidates:
        """Masks of one image from several calls; `crops` are all its views."""
        names = [field.name for field in fields(Candidates) if field.name != "crops"]
        return Candidates(
            np.array(crops, dtype=np.int32),
            **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names},
        )


def find_candidates(
    segmenter: Segmenter, image: NDArray[np.uint8], settings: GridSettings, tile: int | None = None, overlap: int = 0
) -> Candidates:
    """Asks about a grid of points, and keeps every mask of the three that each point gets.

    Only what can be no object is left out: empty masks, and masks that are cut off by a side of their tile which is
    not one of the image. (Kirillov et al. 2023, arXiv 2304.02643, appendix B "Cropping".)

    Views come one by one and points in chunks; what is kept of the masks, a byte for each cell around them, grows with
    the number of views (measured: 3 MB a view for 16 x 16 points).

    Args:
        image: (H, W, 3) uint8 RGB.
        tile: side of tiles in pixels, which are looked at after the whole image if that is larger; None for no tiles.
        overlap: least number of pixels that neighbouring tiles share.
    """
    height, width = image.shape[:2]
    crops: list[Crop] = [(0, 0, width, height), *tile_crops(width, height, tile, overlap)]
    grid = segmenter.mask_grid
    per_call = max(1, _VALUES_AT_ONCE // (3 * grid * grid))
    parts = []
    with inference(segmenter):
        for view, crop in enumerate(crops):
            geometry = Geometry(crop, segmenter.input)
            features = encode_view(segmenter, image, geometry)
            for points in torch.split(point_grid(crop, settings.points_per_side), per_call):
                asked = geometry.points(points)[:, None].to(features.device)
                labels = torch.ones(asked.shape[:2], dtype=torch.long, device=features.device)
                nowhere_else = torch.zeros(len(asked), dtype=torch.long, device=features.device)
                answer = segmenter.decode_multimask(features, Prompts(points=asked, point_labels=labels), nowhere_else)
                parts.append(_kept(answer, points, geometry, view, (width, height), settings))
    return Candidates.join(crops, parts)


def point_grid(crop: Crop, points_per_side: int) -> Tensor:
    """(n * n, 2) points (x, y) in the image frame, evenly spread over a crop, row by row."""
    x0, y0, x1, y1 = crop
    steps = (torch.arange(points_per_side) + 0.5) / points_per_side
    ys, xs = torch.meshgrid(y0 + steps * (y1 - y0) - 0.5, x0 + steps * (x1 - x0) - 0.5, indexing="ij")
    return torch.stack([xs, ys], dim=-1).reshape(-1, 2)


def _kept(
    answer: MultimaskPrediction,
    points: Tensor,
    geometry: Geometry,
    view: int,
    size: tuple[int, int],
    settings: GridSettings,
) -> Candidates:
    """The masks of one call that can be objects."""
    outputs, grid = answer.logits.shape[1:3]
    logits, iou = answer.logits.reshape(-1, grid, grid), answer.iou.reshape(-1)
    valid = geometry.valid(grid)
    height, width = int(valid[:, 0].sum()), int(valid[0].sum())
    on_image = logits[:, :height, :width]
    mask = on_image > 0
    cells = mask.sum((1, 2))
    bounds = torch.stack([*_range(mask.any(1)), *_range(mask.any(2))], dim=1)[:, [0, 2, 1, 3]]  # xyxy, in cells
    inner = _inner_sides(geometry.crop, size).to(bounds.device)
    sides = torch.tensor([0, 0, width, height], device=bounds.device)
    cut_off = ((bounds == sides) & inner).any(1)
    chosen = ((cells > 0) & ~cut_off & iou.isfinite()).nonzero()[:, 0]

    bounds = bounds[chosen].cpu()
    # The cells around a mask are kept, too: where between two cells it ends depends on both.
    windows = torch.stack([*(bounds[:, :2] - 1).unbind(1), *(bounds[:, 2:] + 1).unbind(1)], 1).clamp(0, grid)
    scaled = logits[chosen] * _STEPS
    # Away from 0, so that rounding moves no cell into a mask or out of it.
    levels = torch.where(scaled > 0, scaled.ceil(), scaled.floor()).clamp(-_LARGEST, _LARGEST).to(torch.int8)
    kept = [
        level[y0:y1, x0:x1].reshape(-1)
        for level, (x0, y0, x1, y1) in zip(levels.cpu().numpy(), windows.tolist(), strict=True)
    ]
    boxes = geometry.restore_boxes(bounds.float() * (geometry.input.size / grid))
    x0, y0, x1, y1 = geometry.crop
    part_of_image = (x1 - x0) * (y1 - y0) / (size[0] * size[1])
    boxes = torch.minimum(torch.maximum(boxes, torch.tensor([x0, y0, x0, y0])), torch.tensor([x1, y1, x1, y1]))
    return Candidates(
        crops=np.array([geometry.crop], dtype=np.int32),
        view=np.full(len(chosen), view, dtype=np.int32),
        points=points.repeat_interleave(outputs, dim=0)[chosen.cpu()].numpy().astype(np.float32),
        iou=iou[chosen].cpu().numpy().astype(np.float32),
        stability=stability_score(on_image[chosen]).cpu().numpy().astype(np.float32),
        boxes=boxes.numpy().astype(np.float32),
        cells=cells[chosen].cpu().numpy().astype(np.int32),
        share=(cells[chosen] * (part_of_image / (width * height))).cpu().numpy().astype(np.float32),
        windows=windows.numpy().astype(np.int32),
        logits=np.concatenate(kept) if kept else np.zeros(0, dtype=np.int8),
    )


def _range(present: Tensor) -> tuple[Tensor, Tensor]:
    """First and one past the last True of each row of (N, L) bool; 0 and L where there is none."""
    length = present.shape[1]
    return present.int().argmax(1), length - present.flip(1).int().argmax(1)


def _inner_sides(crop: Crop, size: tuple[int, int]) -> Tensor:
    """(4,) bool: which sides of a crop, as xyxy, lie within the image (width, height)."""
    width, height = size
    x0, y0, x1, y1 = crop
    return torch.tensor([x0 > 0, y0 > 0, x1 < width, y1 < height])
