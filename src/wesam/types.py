"""The few values that flow between the rooms of the package.

Two frames of coordinates exist, and every function says which one it speaks of:

* *image frame*: pixels of the original image, after its EXIF orientation was applied;
* *input frame*: pixels of the encoder's square input (`frames.geometry` maps between the two).

Boxes are ``(x0, y0, x1, y1)`` pixel edges, so a box that covers the whole image is ``(0, 0, width, height)``.
Points are ``(x, y)`` pixel indices. Shape and range are checked once, when a value is made.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from wesam.errors import WesamError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

FOREGROUND = 1
BACKGROUND = 0
NOT_A_POINT = -1  # SAM's own label for padding


@dataclass(frozen=True)
class Instance:
    """One labelled object of an image, in the image frame. At least one kind of label is present.

    Attributes:
        id: unique within the image set (the annotation id as text).
        box: ``(x0, y0, x1, y1)`` pixel edges with x0 < x1 and y0 < y1, or None.
        points: ``(x, y, label)`` triples with label 1 (on the object) or 0 (off it); may be empty.
        rle: mask as COCO compressed run-length encoding ``{"size": [h, w], "counts": bytes}``, or None.
            From a polygon or a brush it is a *coarse* mask; from a ground truth an exact one.
        category: name of the class, or "" where there is none.
        guessed: whether a network made these labels, of which they keep a score.
    """

    id: str
    box: tuple[float, float, float, float] | None = None
    points: tuple[tuple[float, float, int], ...] = ()
    rle: dict[str, Any] | None = None
    category: str = ""
    guessed: bool = field(default=False, repr=False)

    def __post_init__(self) -> None:
        if self.box is None and not self.points and self.rle is None:
            raise WesamError(f"instance {self.id}: expected a box, points or a mask, got none of them")
        if self.box is not None:
            x0, y0, x1, y1 = self.box
            if not all(map(math.isfinite, self.box)) or x0 >= x1 or y0 >= y1:
                raise WesamError(f"instance {self.id}: expected box x0 < x1 and y0 < y1, all finite, got {self.box}")
        for x, y, label in self.points:
            if not (math.isfinite(x) and math.isfinite(y)) or label not in (FOREGROUND, BACKGROUND):
                raise WesamError(f"instance {self.id}: expected finite points with label 0 or 1, got {(x, y, label)}")

    def mask(self) -> NDArray[np.bool_]:
        """The mask, (H, W) bool in the image frame.

        Raises:
            WesamError: if this instance carries no mask.
        """
        if self.rle is None:
            raise WesamError(f"instance {self.id}: expected a mask (segmentation), got a label without one")
        from pycocotools import mask as coco_mask

        decoded: NDArray[np.bool_] = coco_mask.decode(self.rle).astype(bool)
        return decoded


@dataclass(frozen=True)
class ImageReading:
    """Which page and bands of an image file are looked at. Files of one page, and of one or three bands, need neither.

    Attributes:
        page: from 1; None: the only one.
        bands: one, shown as grey, or three, as red, green and blue, from 1; None: those that the file's tags name.
    """

    page: int | None = None
    bands: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.page is not None and self.page < 1:
            raise WesamError(f"page: expected a number from 1 on, got {self.page}")
        if self.bands is not None and (len(self.bands) not in (1, 3) or min(self.bands) < 1):
            given = ",".join(map(str, self.bands)) or "none"
            raise WesamError(f"bands: expected one number from 1 on, or three (red, green, blue), got {given}")


#: The only page, and the bands that the file's tags name.
AS_TAGGED = ImageReading()


@dataclass(frozen=True)
class Sample:
    """One image of a set with its labels. The pixels stay on disk until `labels.images.read_image(path)`.

    Attributes:
        id: the image's path relative to the image folder, with forward slashes; unique in the set.
        path: the file.
        width, height: size in pixels after EXIF orientation.
        instances: the labelled objects; may be empty.
        reading: which page and bands of the file.
    """

    id: str
    path: Path
    width: int
    height: int
    instances: tuple[Instance, ...] = ()
    reading: ImageReading = AS_TAGGED

    def with_instances(self, instances: Sequence[Instance]) -> Sample:
        return replace(self, instances=tuple(instances))


@dataclass(frozen=True)
class Prompts:
    """What SAM is asked about N objects of one image, or of several images after `cat`.

    A part that no prompt has is None. Where only some prompts have it, the rows of the others are NaN
    (boxes, masks) or NOT_A_POINT (points), so one value can hold a box for one object and clicks for another.

    Attributes:
        boxes: (N, 4) float, xyxy pixel edges.
        points: (N, P, 2) float, (x, y) pixel indices.
        point_labels: (N, P) int64: 1 on the object, 0 off it, -1 no point (padding).
        masks: (N, h, w) float mask *logits* on the decoder's low-resolution grid (SAM's mask prompt).
    """

    boxes: Tensor | None = None
    points: Tensor | None = None
    point_labels: Tensor | None = None
    masks: Tensor | None = None

    def __post_init__(self) -> None:
        if (self.points is None) != (self.point_labels is None):
            raise WesamError("prompts: expected points and point_labels together, got only one of them")
        lengths = {name: len(part) for name, part in self._parts().items()}
        if not lengths:
            raise WesamError("prompts: expected boxes, points or masks, got none of them")
        if len(set(lengths.values())) > 1:
            raise WesamError(f"prompts: expected parts of one length, got {lengths}")
        if self.boxes is not None and (self.boxes.ndim != 2 or self.boxes.shape[1] != 4):
            raise WesamError(f"prompts: expected boxes (N, 4), got {tuple(self.boxes.shape)}")
        if self.points is not None and self.point_labels is not None:
            if self.points.ndim != 3 or self.points.shape[2] != 2:
                raise WesamError(f"prompts: expected points (N, P, 2), got {tuple(self.points.shape)}")
            if self.point_labels.shape != self.points.shape[:2]:
                raise WesamError(
                    f"prompts: expected point_labels {tuple(self.points.shape[:2])}, "
                    f"got {tuple(self.point_labels.shape)}"
                )
        if self.masks is not None and self.masks.ndim != 3:
            raise WesamError(f"prompts: expected masks (N, h, w), got {tuple(self.masks.shape)}")

    def _parts(self) -> dict[str, Tensor]:
        parts = {
            "boxes": self.boxes,
            "points": self.points,
            "point_labels": self.point_labels,
            "masks": self.masks,
        }
        return {name: part for name, part in parts.items() if part is not None}

    def __len__(self) -> int:
        return len(next(iter(self._parts().values())))

    def __getitem__(self, index: Tensor | slice) -> Prompts:
        """The prompts at `index`: a slice, an int64 tensor (K,) or a bool tensor (N,)."""
        return Prompts(**{name: part[index] for name, part in self._parts().items()})

    def to(self, device: torch.device | str) -> Prompts:
        return Prompts(**{name: part.to(device) for name, part in self._parts().items()})

    @staticmethod
    def cat(prompts: Sequence[Prompts]) -> Prompts:
        """Joins prompts in order; parts that some of them lack are filled with NaN / NOT_A_POINT rows."""
        if not prompts:
            raise WesamError("prompts: expected at least one value to join, got none")

        def joined(parts: list[Tensor | None], fill: float) -> Tensor | None:
            present = [part for part in parts if part is not None]
            if not present:
                return None
            # Only the number of points may differ between parts; boxes and masks agree by construction.
            shape = tuple(max(sizes) for sizes in zip(*(part.shape[1:] for part in present), strict=True))
            rows = []
            for prompt, part in zip(prompts, parts, strict=True):
                row = present[0].new_full((len(prompt), *shape), fill)
                if part is not None:
                    row[(slice(None), *(slice(size) for size in part.shape[1:]))] = part
                rows.append(row)
            return torch.cat(rows)

        return Prompts(
            boxes=joined([p.boxes for p in prompts], float("nan")),
            points=joined([p.points for p in prompts], 0.0),
            point_labels=joined([p.point_labels for p in prompts], NOT_A_POINT),
            masks=joined([p.masks for p in prompts], float("nan")),
        )


@dataclass(frozen=True)
class MaskPrediction:
    """What the decoder answers to N prompts.

    Attributes:
        logits: (N, h, w) mask logits; a pixel belongs to the object where its logit is above 0.
        iou: (N,) the IoU that the network itself predicts for each mask.
    """

    logits: Tensor
    iou: Tensor

    def __post_init__(self) -> None:
        if self.logits.ndim != 3 or self.iou.shape != self.logits.shape[:1]:
            raise ValueError(
                f"expected logits (N, h, w) and iou (N,), got {tuple(self.logits.shape)} and {tuple(self.iou.shape)}"
            )

    def __len__(self) -> int:
        return len(self.logits)

    def __getitem__(self, index: Tensor | slice) -> MaskPrediction:
        return MaskPrediction(self.logits[index], self.iou[index])


@dataclass(frozen=True)
class MultimaskPrediction:
    """Several answers to each of N prompts: a click may mean a part, the whole, or what both belong to.

    Attributes:
        logits: (N, K, h, w) mask logits; a pixel belongs to the object where its logit is above 0.
        iou: (N, K) the IoU that the network itself predicts for each mask.
    """

    logits: Tensor
    iou: Tensor

    def __post_init__(self) -> None:
        if self.logits.ndim != 4 or self.iou.shape != self.logits.shape[:2]:
            raise ValueError(
                f"expected logits (N, K, h, w) and iou (N, K), "
                f"got {tuple(self.logits.shape)} and {tuple(self.iou.shape)}"
            )

    def __len__(self) -> int:
        return len(self.logits)
