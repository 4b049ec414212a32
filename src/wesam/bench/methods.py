"""The rows of all tables: every method under the same model, prompts, images, steps, seeds and checkpoint rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wesam.bench.arm import Arm


def _method(name: str, **settings: Any) -> Mapping[str, Any]:
    return {"method": {"name": name, **settings}}


DIRECT = Arm("direct", settings=_method("direct"), learns=False)
WESAM = Arm("wesam", preset="paper", pictured=True)
OURS = Arm("ours", pictured=True)
SUPERVISED = Arm("supervised", settings=_method("supervised"), masks=True)
ALL_STUDENT_PROMPTS = OURS.variant(
    "ours, all student prompts",
    {"method": {"student_prompt_weight": 1.0, "student_prompts": ["clicks", "corrective", "box", "mask"]}},
)
NO_STUDENT_PROMPTS = OURS.variant("ours, no student prompts", {"method": {"student_prompt_weight": 0.0}})
PROJECTION = OURS.variant(
    "box projection alone",
    {"method": {"self_training_weight": 0.0, "anchor_weight": 0.0, "student_prompt_weight": 0.0}},
    prompts=("box",),
)

#: Tables 2 to 6.
COMPARED = (
    DIRECT,
    *(Arm(name, settings=_method(name)) for name in ("tent", "shot", "soft-teacher", "tribe", "dept", "wdass")),
    Arm("sam-tta", settings=_method("sam-tta")),
    Arm("resam", settings=_method("resam"), prompts=("point", "click")),
    WESAM,
    Arm("wesam-journal", preset="paper", settings=_method("wesam-journal")),
    PROJECTION,
    OURS,
    SUPERVISED,
)

#: Rows that run on every corruption.
FEW = (DIRECT.name, OURS.name)

#: Rows of a quick try in all but the first of the tables that have the same.
BRIEF = (DIRECT.name, WESAM.name, OURS.name)


def _losses(anchor: float, contrast: float) -> Mapping[str, Any]:
    return {"method": {"anchor_weight": anchor, "contrastive_weight": contrast}}


_SELF_TRAINING = WESAM.variant("self-training alone", _losses(0, 0))
_ANCHORED = WESAM.variant("self-training + anchor", _losses(1, 0))

_WESAM_UNLABELLED = WESAM.variant("wesam without labels", labelled=False)
_OURS_UNLABELLED = OURS.variant("ours without labels", labelled=False)

#: Table 7.
LOSSES = (
    DIRECT,
    _SELF_TRAINING,
    _ANCHORED,
    WESAM.variant("self-training + contrast", _losses(0, 1)),
    WESAM,
    _WESAM_UNLABELLED,
    OURS,
    _OURS_UNLABELLED,
    PROJECTION,
)

#: Table 7 against steps.
CURVES = tuple(
    arm.variant(arm.name, length=10.0) if arm.learns else arm for arm in (DIRECT, _SELF_TRAINING, _ANCHORED, OURS)
)


#: Scored by what is found without any prompt.
AUTOMATIC = (DIRECT, _WESAM_UNLABELLED, _OURS_UNLABELLED, OURS, SUPERVISED)


def _update(name: str, kind: str, **settings: Any) -> Arm:
    return OURS.variant(name, {"update": {"kind": kind, **settings}})


#: Table 9. Where nothing else is said LoRA is on queries and values, or on all layers of a model that has no attention.
UPDATES = (
    DIRECT,
    *(_update(f"LoRA, rank {rank}", "lora", target="qv", rank=rank) for rank in (1, 4, 16, 64)),
    _update("LoRA on all layers", "lora", target="all-linear"),
    _update("LoRA on all layers, last half of the blocks", "lora", target="all-linear", last=0.5),
    _update("norms", "norms"),
    _update("decoder", "decoder"),
    _update("full encoder", "encoder"),
    _update("prompt tokens", "prompt-tokens"),
    _update("norms + LoRA", "mix", of=[{"kind": "norms"}, {"kind": "lora", "target": "qv"}]),
)

#: Against the number of labelled images.
LABELLED_IMAGES = (
    DIRECT,
    *(OURS.variant(f"ours, {count} images", train_images=count) for count in (5, 20, 100)),
    OURS,
)

#: Against the care of those who label.
SLOPPY = (
    DIRECT,
    OURS,
    OURS.variant("ours, boxes off by 10 %", labels={"box_jitter": 0.1}),
    OURS.variant("ours, boxes off by 20 %", labels={"box_jitter": 0.2}),
    OURS.variant("ours, 30 % not labelled", labels={"missing": 0.3}),
    OURS.variant("ours, 10 % in the wrong place", labels={"wrong": 0.1}),
)
