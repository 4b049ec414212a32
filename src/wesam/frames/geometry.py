"""The one mapping between the image frame and the input frame of the encoder.

A view crops the image, resizes the crop so that its longest side fills the encoder's input, and may mirror
it. Padding comes last and at the bottom right, so a mirrored crop still starts at (0, 0):

    image frame --crop--> crop --resize--> resized (h, w) --flip--> input frame, padded to (S, S)

Everything that moves between the frames (pixels, boxes, points, masks, logits) goes through `Geometry`, so it
cannot disagree with itself. Boxes are pixel edges and mirror as ``x -> w - x``. Points are pixel indices and
mirror as ``x -> w - 1 - x``: SAM's prompt encoder adds half a pixel to them, and ``x + 1/2 -> w - (x + 1/2)``
is the mirror image of that. Both are scaled by new side / old side, without half-pixel terms, as SAM does it
(Kirillov et al. 2023, arXiv 2304.02643; `ResizeLongestSide` of the official code).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from wesam.frames.input_format import InputFormat
from wesam.masks import mask_window

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Pixels of the padded square that `restore_logits` holds at once (float32: 128 MB).
_PIXELS_AT_ONCE = 2**25


@dataclass(frozen=True)
class Geometry:
    """Where on the image a view lies, and how it is laid on the encoder's input.

    Attributes:
        crop: ``(x0, y0, x1, y1)`` pixel edges in the image frame; ``(0, 0, width, height)`` is all of it.
        input: how large the encoder's square input is, and how the crop is laid on it.
        flip_horizontal, flip_vertical: whether the resized crop is mirrored left-right, top-bottom.

    Raises:
        ValueError: if the crop is empty or starts at a negative pixel.
    """

    crop: tuple[int, int, int, int]
    input: InputFormat
    flip_horizontal: bool = False
    flip_vertical: bool = False

    def __post_init__(self) -> None:
        x0, y0, x1, y1 = self.crop
        if not (0 <= x0 < x1 and 0 <= y0 < y1):
            raise ValueError(f"expected crop 0 <= x0 < x1 and 0 <= y0 < y1, got {self.crop}")

    @property
    def cropped(self) -> tuple[int, int]:
        """Height and width of the crop, in pixels of the image."""
        x0, y0, x1, y1 = self.crop
        return y1 - y0, x1 - x0

    @property
    def resized(self) -> tuple[int, int]:
        """Height and width of the resized crop: padded, the longest side is the input's (SAM's rounding)."""
        if self.input.fit == "stretch":
            return self.input.size, self.input.size
        height, width = self.cropped
        scale = self.input.size / max(height, width)
        # SAM's rule gives 0 for the short side of a hair-thin image; one pixel is the least that can be seen.
        return max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5))

    def image(self, image: NDArray[np.uint8]) -> Tensor:
        """The view's pixels before normalisation and padding.

        Args:
            image: the whole image, (H, W, 3) uint8 RGB.

        Returns:
            (3, h, w) float32 in [0, 1], with (h, w) = `resized`.
        """
        return self.from_resized(self.resize(image))

    def resize(self, image: NDArray[np.uint8]) -> Tensor:
        """The first half of `image`, which no flip changes: crop, and resize as the official SAM does.

        That is Pillow's antialiased bilinear resize on 8 bits.

        Args:
            image: the whole image, (H, W, 3) uint8 RGB.

        Returns:
            (3, h, w) uint8, upright.
        """
        self._check_inside(image.shape[:2])
        x0, y0, x1, y1 = self.crop
        height, width = self.resized
        crop = Image.fromarray(np.ascontiguousarray(image[y0:y1, x0:x1]))
        pixels = torch.from_numpy(np.array(crop.resize((width, height), Image.Resampling.BILINEAR)))
        return pixels.permute(2, 0, 1)

    def from_resized(self, pixels: Tensor) -> Tensor:
        """The second half of `image`: mirrors what `resize` gave and scales it to [0, 1]."""
        return self._flip(pixels).float() / 255

    def boxes(self, boxes: Tensor) -> Tensor:
        """Boxes (N, 4) from the image frame to the input frame; NaN rows (no box) stay NaN."""
        x0, y0, x1, y1 = self._to_input(boxes, last=0).unbind(-1)
        if self.flip_horizontal:
            x0, x1 = x1, x0  # the mirrored right edge is the new left one
        if self.flip_vertical:
            y0, y1 = y1, y0
        return torch.stack([x0, y0, x1, y1], dim=-1)

    def restore_boxes(self, boxes: Tensor) -> Tensor:
        """The inverse of `boxes`: (N, 4) from the input frame to the image frame."""
        origin, scale, side, flipped = self._frame(boxes)
        x0, y0, x1, y1 = (torch.where(flipped, side - boxes, boxes) / scale + origin).unbind(-1)
        if self.flip_horizontal:
            x0, x1 = x1, x0
        if self.flip_vertical:
            y0, y1 = y1, y0
        return torch.stack([x0, y0, x1, y1], dim=-1)

    def points(self, points: Tensor) -> Tensor:
        """Points (..., 2) from the image frame to the input frame."""
        return self._to_input(points, last=1)

    def mask_to_grid(self, mask: NDArray[np.bool_], grid: int) -> Tensor:
        """How much of each cell of the padded input a mask covers, by exact areas.

        Args:
            mask: (H, W) bool in the image frame.
            grid: side m of the grid that the whole padded input maps onto (the segmenter's `mask_grid`).

        Returns:
            (m, m) float32 in [0, 1].
        """
        self._check_inside(mask.shape)
        x0, y0, x1, y1 = self.crop
        cropped = mask[y0:y1, x0:x1]
        window = mask_window(cropped)
        if window is None:
            return torch.zeros(grid, grid)
        # Only the mask's own rows and columns are touched: a small object in a large image is cheap.
        cover = self._flip(torch.from_numpy(np.ascontiguousarray(cropped[window]))).float()
        (height, width), (new_height, new_width) = self.cropped, self.resized
        ys, xs = window
        if self.flip_vertical:
            ys = slice(height - ys.stop, height - ys.start)
        if self.flip_horizontal:
            xs = slice(width - xs.stop, width - xs.start)
        down = _cell_overlap(height, new_height, self.input.size, grid)[:, ys]
        across = _cell_overlap(width, new_width, self.input.size, grid)[:, xs]
        return (down @ cover @ across.T).clamp_(max=1)

    def valid(self, grid: int) -> Tensor:
        """(m, m) float32: 1 where a cell lies on the image (half its width and height at least), else 0."""
        height, width = (max(1, int(side * grid / self.input.size + 0.5)) for side in self.resized)
        valid = torch.zeros(grid, grid)
        valid[:height, :width] = 1
        return valid

    def restore_logits(self, logits: Tensor) -> Tensor:
        """Mask logits back on the crop's own pixels: the official `postprocess_masks`, mirrored back.

        SAM enlarges them to the padded input, cuts the padding off and resizes; SAM 2, which stretches, resizes once.

        The masks pass in chunks, so that beside the answer only a bounded number of padded squares is held.

        Args:
            logits: (N, m, m) over the whole padded input.

        Returns:
            (N, height, width) logits, with (height, width) = `cropped`.
        """
        if logits.ndim != 3:
            raise ValueError(f"expected logits (N, m, m), got {tuple(logits.shape)}")
        restored = logits.new_empty(len(logits), *self.cropped)
        chunk = max(1, _PIXELS_AT_ONCE // self.input.size**2)
        for start in range(0, len(logits), chunk):
            on_image = self._flip(self._without_padding(logits[start : start + chunk, None]))
            restored[start : start + chunk] = F.interpolate(
                on_image, self.cropped, mode="bilinear", align_corners=False
            )[:, 0]
        return restored

    def _without_padding(self, logits: Tensor) -> Tensor:
        """(n, 1, m, m) logits over the whole input to those on the resized crop alone."""
        if self.input.fit == "stretch":
            return logits
        height, width = self.resized
        square = F.interpolate(logits, (self.input.size, self.input.size), mode="bilinear", align_corners=False)
        return square[..., :height, :width]

    def _flip(self, pixels: Tensor) -> Tensor:
        """Mirrors (..., h, w); its own inverse."""
        flipped = [dim for dim, on in ((-1, self.flip_horizontal), (-2, self.flip_vertical)) if on]
        return pixels.flip(flipped)

    def _to_input(self, coordinates: Tensor, last: int) -> Tensor:
        """(..., 2k) alternating x, y to the input frame, where a mirror sends 0 to side - `last`."""
        origin, scale, side, flipped = self._frame(coordinates)
        moved = (coordinates - origin) * scale
        return torch.where(flipped, side - last - moved, moved)

    def _frame(self, coordinates: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Origin of the crop, new / old side, new side, mirroring: each as long as the last axis."""
        length = coordinates.shape[-1]
        if length not in (2, 4):
            raise ValueError(f"expected points (..., 2) or boxes (N, 4), got {tuple(coordinates.shape)}")
        (height, width), (new_height, new_width) = self.cropped, self.resized

        def per_axis(x: float, y: float) -> Tensor:
            return torch.tensor([x, y] * (length // 2), dtype=torch.float32, device=coordinates.device)

        return (
            per_axis(*self.crop[:2]),
            per_axis(new_width / width, new_height / height),
            per_axis(new_width, new_height),
            per_axis(self.flip_horizontal, self.flip_vertical).bool(),
        )

    def _check_inside(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 2 or shape[0] < self.crop[3] or shape[1] < self.crop[2]:
            raise ValueError(f"expected an image that holds the crop {self.crop}, got (H, W) = {shape}")


def _cell_overlap(old: int, new: int, input_size: int, grid: int) -> Tensor:
    """(grid, old): the share of each grid cell along one axis that each pixel of the crop takes."""
    pixels = torch.arange(old + 1, dtype=torch.float64) * (new / old)
    cells = torch.arange(grid + 1, dtype=torch.float64) * (input_size / grid)
    upper = torch.minimum(cells[1:, None], pixels[None, 1:])
    lower = torch.maximum(cells[:-1, None], pixels[None, :-1])
    return ((upper - lower).clamp_(min=0) * (grid / input_size)).float()
