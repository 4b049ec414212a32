"""Settings that there were once: a file that still has one is told what became of it, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wesam.errors import WesamError

_LINE = "delete the line"

#: By dotted name; a name stands for all below it. Why each is fixed: docs/design-decisions.md.
DROPPED: Mapping[str, str] = {
    "objective": "it is called method now; write method: instead (--set method.name=..., or --method NAME)",
    "lora.ranks": f"all blocks have one rank; {_LINE}",
    "lora": "it is called update now; write update: with kind: lora (--set update.rank=...)",
    "update.ranks": f"all blocks have one rank; {_LINE}",
    "schedule": f"the rate is constant after the warm-up; {_LINE}",
    "keep_checkpoints": f"the newest two are kept; {_LINE}",
    "guard": f"three bad steps in a row go back to a checkpoint, at most three times; {_LINE}",
    "health.images": f"at most 16 images are measured; {_LINE}",
    "health.share": f"a tenth of the images is held back where health is measured; {_LINE}, or write health.every: 0",
    "weight_decay": f"it is the paper's 1e-4; {_LINE}",
    "update.alpha": f"the update is not scaled, as in the paper; {_LINE}",
    "update.dropout": f"there is none, as in the paper; {_LINE}",
    "selection.signals": f"the rules use seven signals; {_LINE}",
    "selection.tolerance": f"each signal may fall by 0.05; {_LINE}",
    "selection.least_gain": f"any gain counts; {_LINE}",
    "selection.average_last": f"no mean of steps is a candidate; the EMA teacher is one itself; {_LINE}",
    "selection.scales": f"no scaled update is a candidate; {_LINE}",
    "automatic.grid.stability_offset": f"it is SAM's own, 1; {_LINE}",
    "method.anchor_weight_end": f"the anchor's weight is constant; {_LINE}",
    "method.focal_weight": f"it is SAM's own, 20; {_LINE}",
    "method.focal_alpha": f"it is 0.5, or the paper's 0.8 with method.as_published; {_LINE}",
    "method.dice_weight": f"it is 0, or the paper's 1 with method.as_published; {_LINE}",
    "method.iou_weight": f"it is 0, or the paper's 1 with method.as_published; {_LINE}",
    "method.anchor_form": f"it is focal, or the paper's dice with method.as_published; {_LINE}",
    "method.contrastive_form": f"it is the paper's; {_LINE}",
    "method.ema_decay": f"it is 0.99; {_LINE}",
    "method.temperature": f"it is the paper's 0.3; {_LINE}",
    "method.background_negative": f"it is on, or off with method.as_published; {_LINE}",
    "method.cross_image_negatives": f"it is on, or off with method.as_published; {_LINE}",
    "method.soft_targets": f"pseudo-labels are masks; {_LINE}",
    "method.confidence_weighting": f"all pixels count alike; {_LINE}",
    "method.agreement_weighting": f"all objects count alike; {_LINE}",
    "method.box_clip": f"it changed nothing; method.box_projection_weight holds masks to boxes; {_LINE}",
    "method.box_slack": f"there is no method.box_clip any more; {_LINE}",
    "method.box_projection_slack": f"it is 0, as in BoxInst; {_LINE}",
    "method.points_of_others": f"it is on with method.point_weight; {_LINE}",
    "method.coarse_weight": f"nearly all domains lost with it; {_LINE}",
    "method.coarse_band": f"there is no method.coarse_weight any more; {_LINE}",
    "method.granularity": f"the mask that fits the label is taken, or the single one with method.as_published; {_LINE}",
    "method.ignore_padding": f"it is on, or off with method.as_published; {_LINE}",
    "method.anchor_cache_mb": f"it is 512; {_LINE}",
    "views.max_instances": f"at most 40 objects an image and step, in fixed groups that take turns; {_LINE}",
    "views.flips": f"both views are mirrored, each way half the time; {_LINE}",
    "views.photometric": "its changes are chosen as a whole: write views.photometric: off, mild, default or strong",
}


def refuse_dropped(given: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    """Refuses the first setting that there is no more.

    Args:
        given: settings as nested mappings.
        known: names that are known after all, as nested mappings: another method may have a setting of that name.

    Raises:
        WesamError: naming it, why it went and what to do.
    """
    for name, what in DROPPED.items():
        value: Any = given
        for part in name.split("."):
            value = value.get(part, _ABSENT) if isinstance(value, Mapping) else _ABSENT
        if value is _ABSENT or (name == "views.photometric" and not isinstance(value, Mapping)):
            continue
        if name.startswith("method.") and name.removeprefix("method.") in known:
            continue
        raise WesamError(f"{name}: there is no such setting any more: {what}")


_ABSENT = object()
