"""The one dial of how much a run does: its steps, the views that hold the student, the candidates to choose from."""

from __future__ import annotations

from typing import Any, Literal, get_args

Effort = Literal["quick", "normal", "thorough"]
EFFORTS: tuple[Effort, ...] = get_args(Effort)

#: Settings of each; what is not named is the setting's own default, which is "normal". Candidates are measured every
#: `health.every` steps, so a longer run has more of them.
SETTINGS_OF: dict[Effort, dict[str, Any]] = {
    "quick": {"steps": 100, "method": {"name": "wesam", "anchor_views": "strong"}},
    "normal": {},
    "thorough": {"steps": 1000},
}
