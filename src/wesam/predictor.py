"""A model at work in people's own code: an image is encoded once and asked as often as one likes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from wesam.errors import WesamError
from wesam.frames.geometry import Geometry
from wesam.models.features import Features
from wesam.models.inference import encode_view, inference
from wesam.models.segmenter import Segmenter
from wesam.types import BACKGROUND, FOREGROUND, Prompts
from wesam.updates.load import load_segmenter


class Masks(NamedTuple):
    """What a predictor answers, best first where there are several.

    Attributes:
        masks: (N, H, W) bool, at the image's own size.
        scores: (N,) float32, the IoU that the model itself predicts for each.
        logits: (N, m, m) float32 over the model's input; one of them can be given back as `mask`.
    """

    masks: NDArray[np.bool_]
    scores: NDArray[np.float32]
    logits: NDArray[np.float32]


class Predictor:
    """SAM's own way to be asked, for every family and with an adapter or without one.

    Example:
        predictor = wesam.Predictor("wesam-edge", "runs/cells/adapter")
        masks, scores, _ = predictor.set_image(image).predict(box=[20, 30, 80, 90])

    Args:
        model: as for `load_segmenter`, or a segmenter that is loaded already.
        adapter: folder of a saved adapter; None for the model as it is.
        device: "auto" (an accelerator where there is one), "cpu", "cuda", "cuda:1", "mps".

    Raises:
        WesamError: if there is no such model, or the adapter does not fit it.
        ValueError: if an adapter is given for a segmenter that is loaded already.
    """

    def __init__(self, model: str | Path | Segmenter, adapter: str | Path | None = None, device: str = "auto") -> None:
        if isinstance(model, Segmenter):
            if adapter is not None:
                raise ValueError("expected a model's name with an adapter, got a segmenter that is loaded already")
            self.segmenter = model
        else:
            self.segmenter = load_segmenter(model, adapter, device=device)
        self._view: tuple[Features, Geometry] | None = None

    def set_image(self, image: ArrayLike | Image.Image) -> Predictor:
        """Encodes an image; what follows is asked about it.

        Args:
            image: (H, W, 3) RGB or (H, W) grey, uint8; or a Pillow image.

        Returns:
            The predictor itself.

        Raises:
            WesamError: if it is no such image.
        """
        pixels = _rgb(image)
        geometry = Geometry((0, 0, pixels.shape[1], pixels.shape[0]), self.segmenter.input)
        with inference(self.segmenter):
            self._view = encode_view(self.segmenter, pixels, geometry), geometry
        return self

    def predict(
        self,
        points: ArrayLike | None = None,
        labels: ArrayLike | None = None,
        box: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        multimask_output: bool = False,
    ) -> Masks:
        """The masks of one object.

        Args:
            points: (P, 2) clicks ``(x, y)``, in pixels of the image.
            labels: (P,) 1 on the object, 0 off it; None: all on it.
            box: ``(x0, y0, x1, y1)`` around the object, in pixels of the image.
            mask: (m, m) logits of an earlier answer on the same image.
            multimask_output: whether to get several masks, for a prompt that may mean a part or the whole; else one.

        Raises:
            WesamError: if no image is set, nothing is asked, or a prompt has another shape, or lies outside the image.
        """
        if self._view is None:
            raise WesamError("predict: expected an image first: call set_image(image)")
        features, geometry = self._view
        asked = self._prompts(points, labels, box, mask, geometry).to(features.device)
        with inference(self.segmenter):
            index = torch.zeros(1, dtype=torch.long, device=features.device)
            if multimask_output:
                several = self.segmenter.decode_multimask(features, asked, index)
                logits, iou = several.logits[0], several.iou[0]
                order = iou.argsort(descending=True)
                logits, iou = logits[order], iou[order]
            else:
                one = self.segmenter.decode(features, asked, index)
                logits, iou = one.logits, one.iou
            masks = geometry.restore_logits(logits) > 0
        return Masks(masks.cpu().numpy(), iou.cpu().numpy(), logits.cpu().numpy())

    def _prompts(
        self,
        points: ArrayLike | None,
        labels: ArrayLike | None,
        box: ArrayLike | None,
        mask: ArrayLike | None,
        geometry: Geometry,
    ) -> Prompts:
        if points is None and box is None and mask is None:
            raise WesamError("predict: expected points, a box or a mask, got none of them")
        if points is None and labels is not None:
            raise WesamError("labels: expected points with them, got none")
        parts: dict[str, Any] = {}
        if points is not None:
            clicks = _numbers("points", points, (-1, 2))
            signs = _numbers("labels", np.full(len(clicks), FOREGROUND) if labels is None else labels, (-1,))
            if len(signs) != len(clicks):
                raise WesamError(f"labels: expected one for each of {len(clicks)} points, got {len(signs)}")
            if not np.isin(signs, (FOREGROUND, BACKGROUND)).all():
                raise WesamError(f"labels: expected 1 (on the object) or 0 (off it), got {signs.tolist()}")
            height, width = geometry.cropped
            if ((clicks < 0) | (clicks >= (width, height))).any():
                raise WesamError(f"points: expected them within the image of {width} x {height}, got {clicks.tolist()}")
            parts["points"] = geometry.points(torch.from_numpy(clicks))[None]
            parts["point_labels"] = torch.from_numpy(signs).long()[None]
        if box is not None:
            corners = _numbers("box", box, (4,))
            if corners[0] >= corners[2] or corners[1] >= corners[3]:
                raise WesamError(f"box: expected (x0, y0, x1, y1) with x0 < x1 and y0 < y1, got {corners.tolist()}")
            parts["boxes"] = geometry.boxes(torch.from_numpy(corners)[None])
        if mask is not None:
            grid = self.segmenter.mask_grid
            parts["masks"] = torch.from_numpy(_numbers("mask", mask, (grid, grid)))[None]
        return Prompts(**parts)


def _rgb(image: ArrayLike | Image.Image) -> NDArray[np.uint8]:
    pixels = np.asarray(image.convert("RGB") if isinstance(image, Image.Image) else image)
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise WesamError(
            f"image: expected (H, W, 3) RGB or (H, W) grey of type uint8, got {pixels.shape} of type {pixels.dtype}"
        )
    return pixels


def _numbers(name: str, given: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """As float32 of a shape, in which -1 stands for any length of at least 1."""
    words = "(" + ", ".join("N" if side < 0 else str(side) for side in shape) + ")"
    try:
        values = np.array(given, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise WesamError(f"{name}: expected numbers of shape {words}, got {given!r}") from error
    fits = values.ndim == len(shape) and all(
        got > 0 if side < 0 else got == side for got, side in zip(values.shape, shape, strict=True)
    )
    if not fits or not np.isfinite(values).all():
        raise WesamError(f"{name}: expected finite numbers of shape {words}, got shape {values.shape}")
    return values
