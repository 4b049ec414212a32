"""Several kinds of update at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from wesam.errors import WesamError
from wesam.models.segmenter import Segmenter
from wesam.updates.kinds import AnyUpdateSettings
from wesam.updates.part import Part
from wesam.updates.settings import UpdateSettings


class MixSettings(UpdateSettings):
    """Several kinds at once, each with its own settings; a list of kinds means one."""

    kind: Literal["mix"] = "mix"
    of: tuple[AnyUpdateSettings, ...] = Field(
        min_length=2, description="The kinds. The rate of each is in units of the mix's own."
    )

    def parts(self, segmenter: Segmenter, seed: int) -> Sequence[Part]:
        parts: list[Part] = []
        seen: set[str] = set()
        try:
            # What puts layers of its own into the network comes last: the others go by the names of the network's.
            for settings in sorted(self.of, key=lambda one: one.adds_layers):
                made = settings.parts(segmenter, seed)
                parts += made
                names = {name for part in made for name in part.tensors()}
                if seen & names:
                    raise WesamError(
                        f"update: expected kinds that change different weights, got two that change {min(seen & names)}"
                    )
                seen |= names
        except WesamError:
            for part in reversed(parts):
                part.remove()
            raise
        for part in parts:
            part.rate *= self.rate
        return parts
