"""The rules of choice that the stability study compares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wesam.health.selection import SelectionSettings
from wesam.health.signals import SIGNAL_NAMES, SignalName

AVERAGED = 5
SCALES = (0.25, 0.5, 0.75)
# How far masks may move from the source model's: their least IoU with them.
ANCHORS = (0.7, 0.85, 0.9, 0.95)

# Sets of signals that belong together, beside each signal on its own.
SETS: Mapping[str, tuple[SignalName, ...]] = {
    "views": ("flip_agreement", "strong_agreement"),
    "prompts": ("box_agreement", "point_agreement", "mask_agreement"),
    "views and prompts": ("flip_agreement", "strong_agreement", "point_agreement", "mask_agreement"),
    "views and label": ("flip_agreement", "strong_agreement", "label_agreement"),
    "views, point and label": ("flip_agreement", "strong_agreement", "point_agreement", "label_agreement"),
    "certainty": ("predicted_iou", "stability"),
    "views and certainty": ("flip_agreement", "strong_agreement", "predicted_iou", "stability"),
    "views, certainty and prompts": (
        *("flip_agreement", "strong_agreement", "predicted_iou", "stability"),
        *("box_agreement", "point_agreement", "mask_agreement"),
    ),
    "label and anchor": ("label_agreement", "anchor_agreement"),
    "all": SIGNAL_NAMES,
}


def rules() -> dict[str, SelectionSettings]:
    """Every rule of the study by its name: a few kinds, each with a small grid of its settings."""
    return {
        "last": SelectionSettings(rule="last"),
        f"last, mean of {AVERAGED}": SelectionSettings(rule="last", average_last=AVERAGED),
        **_best([(name, (name,)) for name in SIGNAL_NAMES], least_gains=(0.0, 0.01)),
        **_best(list(SETS.items()), least_gains=(0.0, 0.005, 0.02)),
        **_best_healthy(),
        **_last_healthy(),
    }


def _best(
    sets: Sequence[tuple[str, tuple[SignalName, ...]]], least_gains: Sequence[float]
) -> dict[str, SelectionSettings]:
    found = {}
    for name, signals in sets:
        for least in least_gains:
            settings = SelectionSettings(rule="best", signals=signals, least_gain=least)
            found[f"best {name}, gain {least:g}"] = settings
            if len(signals) > 1:
                found[f"best {name}, gain {least:g}, scales"] = settings.model_copy(update={"scales": SCALES})
    return found


def _best_healthy() -> dict[str, SelectionSettings]:
    return {
        f"best-healthy {name}, fall {tolerance:g}, anchor {anchor:g}": SelectionSettings(
            rule="best-healthy", signals=signals, tolerance=tolerance, least_anchor_agreement=anchor
        )
        for name, signals in SETS.items()
        if name != "all"
        for tolerance in (0.01, 0.05)
        for anchor in ANCHORS
    }


def _last_healthy() -> dict[str, SelectionSettings]:
    found = {}
    for name in ("views", "views, point and label", "certainty", "views and certainty"):
        for tolerance in (0.0, 0.01, 0.02, 0.05):
            for anchor in ANCHORS:
                settings = SelectionSettings(
                    rule="last-healthy", signals=SETS[name], tolerance=tolerance, least_anchor_agreement=anchor
                )
                title = f"last-healthy {name}, fall {tolerance:g}, anchor {anchor:g}"
                found[title] = settings
                found[f"{title}, scales"] = settings.model_copy(update={"scales": SCALES})
    return found
