"""The adapters that a run passed through, on disk with their signals."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from wesam.atomic import replaced_file
from wesam.errors import WesamError
from wesam.health.selection import Candidate

Weights = dict[str, Tensor]


class CandidateFolder:
    """One small file a measurement: the weights that learn, and what was measured, in the file's header.

    For ViT-B at rank 4 a file takes 0.6 MB.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def add(self, candidate: Candidate, weights: Weights) -> None:
        """Writes a candidate whole or not at all; one of the same step gives way."""
        with replaced_file(self._path(candidate.step)) as partial:
            tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
            save_file(tensors, partial, metadata={"signals": json.dumps(candidate.signals)})

    def read(self) -> list[Candidate]:
        """All candidates by step, without their weights.

        Raises:
            WesamError: if a file is damaged.
        """
        found = []
        for path in sorted(self.root.glob("step-*.safetensors")):
            try:
                with safe_open(path, framework="pt") as file:
                    signals = json.loads(file.metadata()["signals"])
                step = int(path.stem.removeprefix("step-"))
            except (SafetensorError, OSError, TypeError, KeyError, ValueError) as error:
                raise WesamError(f"{path}: expected a candidate of this run, got: {error}") from error
            found.append(Candidate(candidate_name(step), step, signals))
        return found

    def weights(self, step: int) -> Weights:
        """The weights of one candidate, on the CPU.

        Raises:
            WesamError: if its file is missing or damaged.
        """
        try:
            return load_file(self._path(step))
        except (SafetensorError, OSError) as error:
            raise WesamError(f"{self._path(step)}: expected a candidate of this run, got: {error}") from error

    def cut(self, step: int) -> None:
        """Drops candidates after `step`: a resumed run makes them again."""
        for path in self.root.glob("step-*.safetensors"):
            if path > self._path(step):
                path.unlink()

    def _path(self, step: int) -> Path:
        return self.root / f"step-{step:07d}.safetensors"


def candidate_name(step: int) -> str:
    """What a point that a run passed is called."""
    return f"step {step}" if step else "the source model"
