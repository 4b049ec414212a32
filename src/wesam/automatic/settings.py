"""How prompts are found where there is no label."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class GridSettings(BaseModel):
    """What the network is asked. Another value here means asking again; `AutomaticSettings` only chooses anew."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    points_per_side: int = Field(
        default=32, ge=1, le=256, description="points in a row and in a column of each view (SAM: 32)"
    )


class AutomaticSettings(BaseModel):
    """Which answers to a grid of points become prompts. Used where no labels are given."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    grid: GridSettings = Field(default_factory=GridSettings)

    iou_quantile: float = Field(
        default=0.75,
        ge=0,
        lt=1,
        description="fraction of all masks of the image set that are dropped for their low predicted IoU (chosen here: "
        "a small or shifted model is badly calibrated, so a fixed threshold takes all or none)",
    )
    iou_threshold: float | None = Field(
        default=None, description="fixed least predicted IoU instead of the quantile (SAM: 0.88)"
    )
    stability_quantile: float = Field(
        default=0.75,
        ge=0,
        lt=1,
        description="fraction of the remaining masks that are dropped for their low stability score (chosen here)",
    )
    stability_threshold: float | None = Field(
        default=None, description="fixed least stability score instead of the quantile (SAM: 0.95)"
    )

    min_cells: int = Field(
        default=4, ge=1, description="smallest mask, in cells of the decoder's grid (chosen here; SAM: any)"
    )
    max_area: float = Field(
        default=0.9,
        gt=0,
        le=1,
        description="largest mask, as a fraction of the image: more is background (chosen here)",
    )
    max_around: float = Field(
        default=0.25,
        gt=0,
        le=1,
        description="the same for a mask that reaches around the image (its box covers 0.9 of it), as background with "
        "objects left out does and a road does not (chosen here, docs/design-decisions.md)",
    )
    box_nms: float | None = Field(
        default=0.7,
        gt=0,
        le=1,
        description="of two masks whose boxes overlap by a larger IoU the one of lower predicted IoU goes (SAM: 0.7)",
    )
    mask_nms: float | None = Field(
        default=0.7, gt=0, le=1, description="the same for the masks themselves (chosen here; SAM: none)"
    )
