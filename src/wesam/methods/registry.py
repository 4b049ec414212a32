"""From settings to an objective."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from wesam.methods.base import Objective
from wesam.methods.direct import DirectObjective, DirectSettings
from wesam.methods.supervised import SupervisedObjective, SupervisedSettings
from wesam.methods.wesam import WesamObjective, WesamSettings
from wesam.models.segmenter import Segmenter

ObjectiveSettings = Annotated[WesamSettings | SupervisedSettings | DirectSettings, Field(discriminator="name")]


def build_objective(settings: ObjectiveSettings, segmenter: Segmenter) -> Objective:
    """The objective that the settings name.

    Args:
        settings: of one objective; their type decides which.
        segmenter: the network, with its adapter in place.
    """
    match settings:
        case WesamSettings():
            return WesamObjective(segmenter, settings)
        case SupervisedSettings():
            return SupervisedObjective(segmenter, settings)
        case DirectSettings():
            return DirectObjective(segmenter)
