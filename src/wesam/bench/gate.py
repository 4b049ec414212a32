"""Whether the source model scores as published before any other row counts."""

from __future__ import annotations

from wesam.bench.plan import Plan
from wesam.bench.published import BOX_MIOU
from wesam.bench.result import Result
from wesam.errors import WesamError

_WITHIN = 1.0  # points of mIoU
_VIT_B = ("sam-vit-base", "sam_vit_b")


def check_gate(result: Result, plan: Plan) -> None:
    """Direct with boxes on all of COCO must be near the paper's figure for SAM ViT-B; other cells pass.

    Raises:
        WesamError: saying what to look at, where it is not.
    """
    whole = not plan.quick and plan.real.test is None
    if not whole or (result.method, result.dataset, result.prompt) != ("direct", "coco", "box"):
        return
    if not any(name in result.model for name in _VIT_B):
        return
    found, published = 100 * result.last.miou, BOX_MIOU["coco"]["direct"]
    if abs(found - published) > _WITHIN:
        raise WesamError(
            f"gate: expected Direct with boxes on COCO within {_WITHIN:g} point of the published {published}, got "
            f"{found:.2f}; no other row counts until it is. Look at: whether the weights are SAM ViT-B's; whether "
            f"val2017 is whole (wesam datasets check coco DIR); whether pixels are normalised, the longest side "
            f"resized and padding is bottom-right; whether boxes are xyxy in pixels of the image; whether "
            f"crowds are left out; whether scores are taken at the image's own size with masks thresholded at logit 0"
        )
