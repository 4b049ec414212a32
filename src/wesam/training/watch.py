"""Health along a run: measured and kept at each due step, and at the end one of the points chosen."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wesam.atomic import replaced_file
from wesam.health.candidates import CandidateFolder, Weights, candidate_name
from wesam.health.probe import MOST_IMAGES, VIEWS, HealthProbe, Signals, Split
from wesam.health.selection import LAST_STEP, Candidate, choose, stalled
from wesam.models.segmenter import Segmenter
from wesam.strict_json import dumps
from wesam.training.config import RunConfig
from wesam.training.memory import MemoryGuard
from wesam.training.progress import Notes
from wesam.updates.update import update_of

SELECTION_FILE = "selection.json"


@dataclass(frozen=True)
class Selection:
    """Which adapter a finished run hands over, and why.

    Attributes:
        rule: name of the rule that chose.
        reason: its decision in words; says so where the decision is not to adapt.
        candidates: all that it chose from, the source model first; none where health was not measured.
        chosen: index of the chosen one among them.
        measured_on: in words, which images the signals come from; "" where health was not measured.
        seconds: time spent measuring in this call.
    """

    rule: str
    reason: str
    candidates: tuple[Candidate, ...] = ()
    chosen: int = -1
    measured_on: str = ""
    seconds: float = 0.0

    @property
    def adapted(self) -> bool:
        """False where the source model was chosen: the adapter then changes nothing."""
        return self.chosen != 0

    def record(self) -> dict[str, Any]:
        """What the adapter folder and the summary say of it."""
        measured: dict[str, Any] = {}
        if self.candidates:
            measured = {
                "chosen": self.candidates[self.chosen].name,
                "step": self.candidates[self.chosen].step,
                "measured_on": self.measured_on,
                "signals": self.candidates[self.chosen].signals,
                "source_signals": self.candidates[0].signals,
            }
        return {"rule": self.rule, "adapted": self.adapted, "reason": self.reason, **measured}

    def write(self, adapter: Path) -> None:
        """Lays the record into an adapter's folder, where peft passes over it."""
        with replaced_file(adapter / SELECTION_FILE) as partial:
            partial.write_text(dumps(self.record(), indent=2) + "\n", encoding="utf-8")


class HealthWatch:
    """Holds the candidates of a run. One process of a run has it: the one that writes.

    Args:
        config: of the run.
        segmenter: with its adapter in place.
        split: of the images.
        folder: where candidates are kept.
        notes: told where a measurement had to do with less memory.
    """

    def __init__(
        self, config: RunConfig, segmenter: Segmenter, split: Split, folder: CandidateFolder, notes: Notes
    ) -> None:
        self._config = config
        self._segmenter = segmenter
        self._update = update_of(segmenter)
        self._split = split
        self._folder = folder
        self._notes = notes
        self._memory = MemoryGuard(segmenter, "views")
        self._probe = HealthProbe(split.health, segmenter, config.views, config.seed, MOST_IMAGES)
        self._seconds = 0.0
        self.candidates: list[Candidate] = []

    def rewind(self, step: int) -> None:
        """Takes up the candidates on disk, without those after `step`: a run that goes on from there makes them again.

        Raises:
            WesamError: if a candidate is damaged.
        """
        self._folder.cut(step)
        self.candidates = self._folder.read()

    def lacks(self, step: int) -> bool:
        """Whether the model of a step has not been measured yet."""
        return all(candidate.step != step for candidate in self.candidates)

    def measure(self, step: int, weights: Weights) -> Signals:
        """Measures and keeps the adapter of a step; at step 0 the source model, whatever the weights.

        Raises:
            WesamError: if an image cannot be read, or memory does not suffice for one image.
        """
        if step == 0:
            weights = self._update.between(weights, 0.0)
        candidate = self._measured(candidate_name(step), step, weights)
        self._folder.add(candidate, weights)
        self.candidates = sorted([*self.candidates, candidate], key=lambda one: one.step)
        return candidate.signals

    def stalled(self) -> bool:
        """Whether the run should stop early."""
        return stalled(self.candidates, self._config.effective_selection)

    def finish(self) -> tuple[Selection, Weights]:
        """Chooses among the candidates.

        Raises:
            WesamError: if the chosen candidate's file is damaged.
        """
        settings = self._config.effective_selection
        choice = choose(self.candidates, settings)
        chosen = self.candidates[choice.index]
        selection = Selection(
            str(settings.rule), choice.reason, tuple(self.candidates), choice.index, self._split.words, self._seconds
        )
        return selection, self._folder.weights(chosen.step)

    def _measured(self, name: str, step: int, weights: Weights) -> Candidate:
        began = time.perf_counter()
        with self._update.using(weights):
            signals = self._memory.fit(
                VIEWS,
                lambda parts: self._probe.measure(self._segmenter, parts),
                lambda said: self._notes.add(step, "out of memory", f"measuring {name}: {said}"),
            )
        self._seconds += time.perf_counter() - began
        return Candidate(name, step, signals)


def unwatched(trainable: bool) -> Selection:
    """The selection of a run without signals: its last step, or the source model where there is nothing to learn."""
    if not trainable:
        return Selection("last", "The source model as it is: the method learns nothing.", chosen=0)
    return Selection("last", LAST_STEP)
